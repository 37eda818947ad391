//! A bulk job: what it does to which accounts, its state and its progress.
//!
//! Only data. The rows are in [`bulk_queue`](super::bulk_queue); batches are run by the use case.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ActionRequest, AdminAction, ImportedUser};
use crate::accounts::search::UserFilter;
use crate::types::{BulkJobId, Permission, RequestInfo, UserId, stored_enum};

/// How long a finished job can be undone.
pub const UNDO_WINDOW: Duration = Duration::from_hours(24);

/// The accounts of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkTargets {
    /// These accounts, in ascending order.
    Ids(Vec<UserId>),
    /// Every account that matches when its batch runs.
    Matching {
        filter: UserFilter,
        /// The newest account when the job was enqueued; later ones are left out.
        last: UserId,
    },
}

/// The specification of a job, which is stored sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkJobSpec {
    /// Does an action to each account.
    Action { request: ActionRequest, targets: BulkTargets },
    /// Creates an account for each user of a list.
    Import {
        users: Vec<ImportedUser>,
        /// Whether those without a password are invited to choose one.
        invite: bool,
    },
    /// Restores the accounts that another job changed.
    Undo {
        /// The other job.
        job: BulkJobId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkJobKind {
    /// Does an action to each account.
    Action(AdminAction),
    /// Creates accounts from a list.
    Import,
    /// Undoes another job.
    Undo,
}

impl BulkJobKind {
    /// Returns the stored name, which for an action is the action's.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Action(action) => action.as_str(),
            Self::Import => "import",
            Self::Undo => "undo",
        }
    }

    /// Reads a stored name; `None` for a name that only another version knows.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        let others = [Self::Import, Self::Undo];
        AdminAction::from_stored(name)
            .map(Self::Action)
            .or_else(|| others.into_iter().find(|kind| kind.as_str() == name))
    }

    /// Returns the permission that undoing needs; `None` when such a job cannot be undone.
    #[must_use]
    pub fn undo_permission(self) -> Option<Permission> {
        match self {
            Self::Action(action) => action.spec().is_undoable.then(|| action.permission()),
            Self::Import | Self::Undo => None,
        }
    }
}

impl BulkJobSpec {
    /// Returns the kind of the job.
    #[must_use]
    pub fn kind(&self) -> BulkJobKind {
        match self {
            Self::Action { request, .. } => BulkJobKind::Action(request.action),
            Self::Import { .. } => BulkJobKind::Import,
            Self::Undo { .. } => BulkJobKind::Undo,
        }
    }
}

stored_enum! {
    pub enum BulkJobState {
        /// It was previewed and not started.
        Draft = "planned",
        /// Batches are still to run.
        Running = "running",
        /// Every target has had its turn.
        Done = "done",
        /// It ended early: an administrator stopped it, or its actor lost the permission.
        Stopped = "stopped",
    }
}

#[derive(Debug, Clone)]
pub struct BulkJob {
    pub id: BulkJobId,
    /// The kind; `None` for a kind that only another version knows.
    pub kind: Option<BulkJobKind>,
    /// The user who enqueued it and with whose rights it runs.
    pub actor: UserId,
    /// The request that enqueued it; without the address when the stored one cannot be read.
    pub info: RequestInfo,
    pub state: BulkJobState,
    /// The id of the last account that had its turn; of an import, the number of list entries.
    pub cursor: i64,
    /// The number of targets, where they were counted.
    pub total: Option<u64>,
    /// The number of accounts that were changed.
    pub done: u64,
    /// The number of accounts that had their turn and were left as they are.
    pub skipped: u64,
    /// When it was enqueued or drafted.
    pub created_at: OffsetDateTime,
    pub finished_at: Option<OffsetDateTime>,
    /// The job that undid it.
    pub undone_by: Option<BulkJobId>,
}

impl BulkJob {
    /// Returns the instant until which the job can be undone; `None` when it cannot be.
    #[must_use]
    pub fn undoable_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        // From the creation of the job, because an account that it deletes goes a day after its batch.
        let until = self.created_at + UNDO_WINDOW;
        let is_undoable = self.kind.is_some_and(|kind| kind.undo_permission().is_some())
            && matches!(self.state, BulkJobState::Done | BulkJobState::Stopped)
            && self.undone_by.is_none()
            && self.done > 0;
        (is_undoable && now < until).then_some(until)
    }
}

/// Which running job a node claims.
#[derive(Debug, Clone, Copy)]
pub enum Claim<'a> {
    Id(BulkJobId),
    /// The oldest job that no other node has locked, except these.
    NextExcept(&'a [BulkJobId]),
}

/// What a batch adds to its job.
#[derive(Debug, Clone, Copy)]
pub struct BatchProgress {
    /// The id of the last account that had its turn; of an import, the number of list entries.
    pub cursor: i64,
    /// The number of accounts that the batch changed.
    pub done: u64,
    /// The number of accounts that the batch left as they are.
    pub skipped: u64,
    pub state: BulkJobState,
}

//! Bulk jobs: what is done to many accounts, how far it has come, and what undoing it needs.
//!
//! Keeps the rows and their sealed specifications. Does not run batches, and decides no permission
//! beyond [`BulkJobKind::undo_permission`]; both belong to the use case.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

pub use super::store::{
    find, is_any_running, list_latest, list_snapshots, save_snapshot, stop, update_progress,
};
use super::{Actor, AdminAction, ImportedUser, store};

use crate::accounts::search::UserFilter;
use crate::crypto::DerivedKeys;
use crate::db::{DbError, Transaction};
use crate::types::{BulkJobId, Permission, RequestInfo, UserId};

/// How long a finished job can be undone.
pub const UNDO_WINDOW: Duration = Duration::from_hours(24);

/// The purpose under which specifications are sealed.
const LABEL: &str = "bulk job";

/// How long a draft waits to be started.
const DRAFT_LIFETIME: Duration = Duration::from_hours(1);

/// How long a finished job stays in the list.
const KEEP: Duration = Duration::from_hours(30 * 24);

/// The accounts of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkTargets {
    /// These accounts, in ascending order.
    Ids(Vec<UserId>),
    /// Every account that matches when its batch runs, up to the newest account at the moment when
    /// the job was enqueued.
    Matching {
        /// The filter.
        filter: UserFilter,
        /// The newest account.
        last: UserId,
    },
}

/// The specification of a job, which is stored sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkJobSpec {
    /// Does an action to each account.
    Action {
        /// The action.
        action: AdminAction,
        /// The accounts.
        targets: BulkTargets,
    },
    /// Creates an account for each user of a list.
    Import {
        /// The list.
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

/// The kind of a job. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkJobKind {
    /// [`AdminAction::Activate`]
    Activate,
    /// [`AdminAction::Deactivate`]
    Deactivate,
    /// [`AdminAction::VerifyEmail`]
    Verify,
    /// [`AdminAction::EndSessions`]
    EndSessions,
    /// [`AdminAction::Delete`]
    Delete,
    /// Creates accounts from a list.
    Import,
    /// Undoes another job.
    Undo,
}

impl BulkJobKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Activate,
        Self::Deactivate,
        Self::Verify,
        Self::EndSessions,
        Self::Delete,
        Self::Import,
        Self::Undo,
    ];

    /// Returns the stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Verify => "verify",
            Self::EndSessions => "end_sessions",
            Self::Delete => "delete",
            Self::Import => "import",
            Self::Undo => "undo",
        }
    }

    /// Reads a stored name; `None` for a name that only another version knows.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Returns the permission that undoing needs; `None` when such a job cannot be undone.
    #[must_use]
    pub fn undo_permission(self) -> Option<Permission> {
        match self {
            Self::Deactivate => Some(Permission::UsersChange),
            Self::Delete => Some(Permission::UsersDelete),
            Self::Activate | Self::Verify | Self::EndSessions | Self::Import | Self::Undo => None,
        }
    }
}

impl BulkJobSpec {
    fn kind(&self) -> BulkJobKind {
        match self {
            Self::Action { action, .. } => match action {
                AdminAction::Activate => BulkJobKind::Activate,
                AdminAction::Deactivate { .. } => BulkJobKind::Deactivate,
                AdminAction::VerifyEmail => BulkJobKind::Verify,
                AdminAction::EndSessions => BulkJobKind::EndSessions,
                AdminAction::Delete => BulkJobKind::Delete,
            },
            Self::Import { .. } => BulkJobKind::Import,
            Self::Undo { .. } => BulkJobKind::Undo,
        }
    }
}

/// The state of a job. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkJobState {
    /// It was previewed and not started.
    Draft,
    /// Batches are still to run.
    Running,
    /// Every target has had its turn.
    Done,
    /// It ended early: an administrator stopped it, or its actor lost the permission.
    Stopped,
}

impl BulkJobState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "planned",
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    pub(super) fn from_stored(name: &str) -> Self {
        match name {
            "planned" => Self::Draft,
            "running" => Self::Running,
            "done" => Self::Done,
            _ => Self::Stopped,
        }
    }
}

/// A bulk job.
#[derive(Debug, Clone)]
pub struct BulkJob {
    /// The id.
    pub id: BulkJobId,
    /// The kind; `None` for a kind that only another version knows.
    pub kind: Option<BulkJobKind>,
    /// The user who enqueued it and with whose rights it runs.
    pub actor: UserId,
    /// The request that enqueued it; without the address when the stored one cannot be read.
    pub info: RequestInfo,
    /// The state.
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
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// The job that undid it.
    pub undone_by: Option<BulkJobId>,
}

impl BulkJob {
    /// Returns the instant until which the job can be undone; `None` when it cannot be.
    #[must_use]
    pub fn undoable_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let until = self.created_at + UNDO_WINDOW;
        let is_undoable = self.kind.is_some_and(|kind| kind.undo_permission().is_some())
            && matches!(self.state, BulkJobState::Done | BulkJobState::Stopped)
            && self.undone_by.is_none()
            && self.done > 0;
        (is_undoable && now < until).then_some(until)
    }
}

/// Stores a job whose batches run from now on.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn enqueue(
    transaction: &Transaction,
    keys: &DerivedKeys,
    actor: Actor<'_>,
    (spec, total): (&BulkJobSpec, Option<u64>),
    now: OffsetDateTime,
) -> Result<BulkJobId, DbError> {
    insert(transaction, keys, actor, (spec, total, BulkJobState::Running), now).await
}

/// Stores a draft, which [`start_draft`] turns into a running job.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn draft(
    transaction: &Transaction,
    keys: &DerivedKeys,
    actor: Actor<'_>,
    (spec, total): (&BulkJobSpec, Option<u64>),
    now: OffsetDateTime,
) -> Result<BulkJobId, DbError> {
    insert(transaction, keys, actor, (spec, total, BulkJobState::Draft), now).await
}

async fn insert(
    transaction: &Transaction,
    keys: &DerivedKeys,
    actor: Actor<'_>,
    (spec, total, state): (&BulkJobSpec, Option<u64>, BulkJobState),
    now: OffsetDateTime,
) -> Result<BulkJobId, DbError> {
    let json = Zeroizing::new(serde_json::to_vec(spec).expect("a specification is plain data"));
    let sealed = keys.seal(LABEL, &json);
    store::insert(transaction, actor, (spec.kind(), sealed, total, state), now).await
}

/// Starts a recent draft of this user. Returns `false` when there is none. One conditional
/// statement decides, so a draft starts at most once.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn start_draft(
    transaction: &Transaction,
    id: BulkJobId,
    by: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_started(transaction, id, by, now - DRAFT_LIFETIME).await
}

/// Which running job a node claims.
#[derive(Debug, Clone, Copy)]
pub enum Claim<'a> {
    /// The job with this id.
    Id(BulkJobId),
    /// The oldest job that no other node has locked, except these.
    NextExcept(&'a [BulkJobId]),
}

/// Locks a running job until the transaction ends. A specification that cannot be read is `None`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn claim_next(
    transaction: &Transaction,
    keys: &DerivedKeys,
    claim: Claim<'_>,
) -> Result<Option<(BulkJob, Option<BulkJobSpec>)>, DbError> {
    let Some((job, sealed)) = store::lock_next(transaction, claim).await? else { return Ok(None) };
    let json = keys.unseal(LABEL, &sealed).ok();
    let spec = json.and_then(|json| serde_json::from_slice(&json).ok());
    Ok(Some((job, spec)))
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
    /// The state after the batch.
    pub state: BulkJobState,
}

/// Marks a job as undone by another one. Returns `false` when it cannot be undone or was undone
/// before. One conditional statement decides.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn set_undone(
    transaction: &Transaction,
    id: BulkJobId,
    by: BulkJobId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_undone(transaction, id, by, now - UNDO_WINDOW).await
}

/// Deletes up to `at_most` jobs that ended long ago, with their snapshots, and drafts that nobody
/// started. Returns the number of deleted jobs.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_over(transaction, (now - KEEP, now - DRAFT_LIFETIME), at_most).await
}

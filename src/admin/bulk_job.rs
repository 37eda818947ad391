//! Deeds done to many accounts: what was ordered, how far it has come, and how to take it back.
//!
//! Knows how to keep the books and not how a batch is done: that is a flow's story.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{Actor, AdminAction, ImportedUser, store};
use crate::accounts::search::Filter;
use crate::accounts::{Account, AccountSnapshot};
use crate::crypto::Keys;
use crate::db::{Db, DbError, Transaction};
use crate::types::{BulkJobId, Caller, Permission, UserId};

/// How long what was done can be taken back.
pub const UNDO_WINDOW: Duration = Duration::from_hours(24);

/// What the sealed spec are called.
const LABEL: &str = "bulk job";

/// How long a plan waits to be ordered.
const DRAFT_LIFETIME: Duration = Duration::from_hours(1);

/// How long it stays in the list after it is over.
const KEEP: Duration = Duration::from_hours(30 * 24);

/// To target something is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkTargets {
    /// To these, and nobody else.
    Ids(Vec<UserId>),
    /// To everybody who is like this when their turn comes, up to the account that was the last when
    /// it was ordered.
    Matching {
        /// What they are like.
        filter: Filter,
        /// The last account.
        last: UserId,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BulkJobSpec {
    /// A action.
    Do {
        /// Claim.
        action: AdminAction,
        /// To target.
        target: BulkTargets,
    },
    /// Accounts are made for people on a list.
    Import {
        /// They.
        people: Vec<ImportedUser>,
        /// Whether those without a password are invited to choose one.
        invite: bool,
    },
    /// Everything is to be as it was before a action.
    Undo {
        /// The action.
        of: BulkJobId,
    },
}

/// What kind of thing is done. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkJobKind {
    /// Accounts may be used again.
    Activate,
    /// Accounts may not be used.
    Deactivate,
    /// Addresses are taken for proved.
    Verify,
    /// Sessions are ended.
    EndSessions,
    /// Accounts are deleted.
    Delete,
    /// Accounts are made.
    Import,
    /// Another one is taken back.
    Undo,
}

impl BulkJobKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Activate,
        Self::Deactivate,
        Self::Verify,
        Self::EndSessions,
        Self::Delete,
        Self::Import,
        Self::Undo,
    ];

    /// The stored name.
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

    /// Reads a stored name; `None` for one of another version.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What whoever takes it back must be allowed; `None` when it cannot be taken back.
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
            Self::Do { action, .. } => match action {
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

/// How it stands. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkJobState {
    /// It was looked at and not ordered yet.
    Draft,
    /// It is being done.
    Running,
    /// It is done.
    Done,
    /// It ended before everybody had their turn: somebody ended it, or whoever ordered it may not any
    /// more.
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

/// Something that is done to many.
#[derive(Debug, Clone)]
pub struct BulkJob {
    /// Its number.
    pub id: BulkJobId,
    /// What is done; `None` when another version of the program ordered it.
    pub kind: Option<BulkJobKind>,
    /// Who ordered it.
    pub actor: UserId,
    /// From where; without the address where it cannot be read any more.
    pub caller: Caller,
    /// How it stands.
    pub state: BulkJobState,
    /// The last account that was looked at; of a list of people, the number of those who were.
    pub cursor: i64,
    /// To how many it is to be done, as far as they were counted.
    pub total: Option<u64>,
    /// To how many it was done.
    pub done: u64,
    /// How many were looked at and left as they are.
    pub skipped: u64,
    /// When it was ordered.
    pub created_at: OffsetDateTime,
    /// When it was over.
    pub finished_at: Option<OffsetDateTime>,
    /// By what it was taken back.
    pub undone_by: Option<BulkJobId>,
}

impl BulkJob {
    /// Until when it can be taken back; `None` when it cannot.
    #[must_use]
    pub fn undoable_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let until = self.created_at + UNDO_WINDOW;
        let can_be = self.kind.is_some_and(|kind| kind.undo_permission().is_some())
            && matches!(self.state, BulkJobState::Done | BulkJobState::Stopped)
            && self.undone_by.is_none()
            && self.done > 0;
        (can_be && now < until).then_some(until)
    }
}

/// BulkJobSpec something to be done to many.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn enqueue(
    transaction: &Transaction,
    keys: &Keys,
    actor: Actor<'_>,
    (spec, total): (&BulkJobSpec, Option<u64>),
    now: OffsetDateTime,
) -> Result<BulkJobId, DbError> {
    insert(transaction, keys, actor, (spec, total, BulkJobState::Running), now).await
}

/// Keeps what may be ordered in a moment; [`start`] does.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn draft(
    transaction: &Transaction,
    keys: &Keys,
    actor: Actor<'_>,
    (spec, total): (&BulkJobSpec, Option<u64>),
    now: OffsetDateTime,
) -> Result<BulkJobId, DbError> {
    insert(transaction, keys, actor, (spec, total, BulkJobState::Draft), now).await
}

async fn insert(
    transaction: &Transaction,
    keys: &Keys,
    actor: Actor<'_>,
    (spec, total, state): (&BulkJobSpec, Option<u64>, BulkJobState),
    now: OffsetDateTime,
) -> Result<BulkJobId, DbError> {
    let json = Zeroizing::new(serde_json::to_vec(spec).expect("spec are plain data"));
    let sealed = keys.seal(LABEL, &json);
    store::insert(transaction, actor, (spec.kind(), sealed, total, state), now).await
}

/// BulkJobSpec what its maker planned not long ago; `false` means that there is no such plan. One statement
/// decides, so it starts once.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn start(
    transaction: &Transaction,
    id: BulkJobId,
    by: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_started(transaction, id, by, now - DRAFT_LIFETIME).await
}

/// One of them.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(db: &Db, id: BulkJobId) -> Result<Option<BulkJob>, DbError> {
    store::find(db, id).await
}

/// The latest, newest first.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_latest(db: &Db, at_most: u64) -> Result<Vec<BulkJob>, DbError> {
    store::list_latest(db, at_most).await
}

/// Claim one is to be locked.
#[derive(Debug, Clone, Copy)]
pub enum Claim<'a> {
    /// This one.
    Id(BulkJobId),
    /// The oldest that no other node holds and that is none of these.
    NextExcept(&'a [BulkJobId]),
}

/// Takes lock_target of one that is being done, until the transaction ends. What cannot be read any more comes
/// without spec.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn claim_next(
    transaction: &Transaction,
    keys: &Keys,
    claim: Claim<'_>,
) -> Result<Option<(BulkJob, Option<BulkJobSpec>)>, DbError> {
    let Some((job, sealed)) = store::lock_next(transaction, claim).await? else { return Ok(None) };
    let json = keys.unseal(LABEL, &sealed).ok();
    let spec = json.and_then(|json| serde_json::from_slice(&json).ok());
    Ok(Some((job, spec)))
}

/// Whether anything is to be done. One cheap query, asked again and again.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn is_any_running(db: &Db) -> Result<bool, DbError> {
    store::is_any_running(db).await
}

/// How far a batch has come.
#[derive(Debug, Clone, Copy)]
pub struct BatchProgress {
    /// The last account that was looked at, or the number of people.
    pub cursor: i64,
    /// To how many it was done.
    pub done: u64,
    /// How many were left as they are.
    pub skipped: u64,
    /// How it stands now.
    pub state: BulkJobState,
}

/// Writes down how far one that is locked has come. What was ordered is forgotten when it is over.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn update_progress(
    transaction: &Transaction,
    id: BulkJobId,
    progress: BatchProgress,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_progress(transaction, id, progress, now).await
}

/// Remembers how an account was before.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn save_snapshot(
    transaction: &Transaction,
    id: BulkJobId,
    before: &Account,
) -> Result<(), DbError> {
    store::insert_snapshot(transaction, id, before).await
}

/// How some accounts after `cursor` were before, in their order.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_snapshots(
    transaction: &Transaction,
    id: BulkJobId,
    cursor: i64,
    at_most: u64,
) -> Result<Vec<(UserId, AccountSnapshot)>, DbError> {
    store::list_snapshots(transaction, id, cursor, at_most).await
}

/// Notes that one was taken back by another; `false` means that it cannot be, or was already. One
/// statement decides.
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

/// Ends one that is being done; `false` means that it was over.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn stop(
    transaction: &Transaction,
    id: BulkJobId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_stopped(transaction, id, now).await
}

/// Deletes up to `at_most` that have been over for long, with what they remember, or that nobody has
/// ordered; tells how many.
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

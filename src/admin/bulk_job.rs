//! Deeds done to many accounts: what was ordered, how far it has come, and how to take it back.
//!
//! Knows how to keep the books and not how a batch is done: that is a flow's story.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{Acting, Deed, Newcomer, store};
use crate::accounts::search::Filter;
use crate::accounts::{Account, Before};
use crate::crypto::Keys;
use crate::db::{Db, DbError, Transaction};
use crate::types::{BulkId, Caller, Permission, UserId};

/// How long what was done can be taken back.
pub const UNDO: Duration = Duration::from_hours(24);

/// What the sealed orders are called.
const LABEL: &str = "bulk deed";

/// How long a plan waits to be ordered.
const PLANNED: Duration = Duration::from_hours(1);

/// How long it stays in the list after it is over.
const KEEP: Duration = Duration::from_hours(30 * 24);

/// To whom something is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whom {
    /// To these, and nobody else.
    These(Vec<UserId>),
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
pub enum Orders {
    /// A deed.
    Do {
        /// Which.
        deed: Deed,
        /// To whom.
        whom: Whom,
    },
    /// Accounts are made for people on a list.
    Import {
        /// They.
        people: Vec<Newcomer>,
        /// Whether those without a password are invited to choose one.
        invite: bool,
    },
    /// Everything is to be as it was before a deed.
    Undo {
        /// The deed.
        of: BulkId,
    },
}

/// What kind of thing is done. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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

impl Kind {
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
    pub fn undone_with(self) -> Option<Permission> {
        match self {
            Self::Deactivate => Some(Permission::UsersChange),
            Self::Delete => Some(Permission::UsersDelete),
            Self::Activate | Self::Verify | Self::EndSessions | Self::Import | Self::Undo => None,
        }
    }
}

impl Orders {
    fn kind(&self) -> Kind {
        match self {
            Self::Do { deed, .. } => match deed {
                Deed::Activate => Kind::Activate,
                Deed::Deactivate { .. } => Kind::Deactivate,
                Deed::Verify => Kind::Verify,
                Deed::EndSessions => Kind::EndSessions,
                Deed::Delete => Kind::Delete,
            },
            Self::Import { .. } => Kind::Import,
            Self::Undo { .. } => Kind::Undo,
        }
    }
}

/// How it stands. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was looked at and not ordered yet.
    Planned,
    /// It is being done.
    Running,
    /// It is done.
    Done,
    /// It ended before everybody had their turn: somebody ended it, or whoever ordered it may not any
    /// more.
    Stopped,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
        }
    }

    pub(super) fn from_stored(name: &str) -> Self {
        match name {
            "planned" => Self::Planned,
            "running" => Self::Running,
            "done" => Self::Done,
            _ => Self::Stopped,
        }
    }
}

/// Something that is done to many.
#[derive(Debug, Clone)]
pub struct Bulk {
    /// Its number.
    pub id: BulkId,
    /// What is done; `None` when another version of the program ordered it.
    pub kind: Option<Kind>,
    /// Who ordered it.
    pub actor: UserId,
    /// From where; without the address where it cannot be read any more.
    pub caller: Caller,
    /// How it stands.
    pub state: State,
    /// The last account that was looked at; of a list of people, the number of those who were.
    pub place: i64,
    /// To how many it is to be done, as far as they were counted.
    pub total: Option<u64>,
    /// To how many it was done.
    pub done: u64,
    /// How many were looked at and left as they are.
    pub left_out: u64,
    /// When it was ordered.
    pub created_at: OffsetDateTime,
    /// When it was over.
    pub finished_at: Option<OffsetDateTime>,
    /// By what it was taken back.
    pub undone_by: Option<BulkId>,
}

impl Bulk {
    /// Until when it can be taken back; `None` when it cannot.
    #[must_use]
    pub fn undoable_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let until = self.created_at + UNDO;
        let can_be = self.kind.is_some_and(|kind| kind.undone_with().is_some())
            && matches!(self.state, State::Done | State::Stopped)
            && self.undone_by.is_none()
            && self.done > 0;
        (can_be && now < until).then_some(until)
    }
}

/// Orders something to be done to many.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn order(
    transaction: &Transaction,
    keys: &Keys,
    acting: Acting<'_>,
    (orders, total): (&Orders, Option<u64>),
    now: OffsetDateTime,
) -> Result<BulkId, DbError> {
    write(transaction, keys, acting, (orders, total, State::Running), now).await
}

/// Keeps what may be ordered in a moment; [`start`] does.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn plan(
    transaction: &Transaction,
    keys: &Keys,
    acting: Acting<'_>,
    (orders, total): (&Orders, Option<u64>),
    now: OffsetDateTime,
) -> Result<BulkId, DbError> {
    write(transaction, keys, acting, (orders, total, State::Planned), now).await
}

async fn write(
    transaction: &Transaction,
    keys: &Keys,
    acting: Acting<'_>,
    (orders, total, state): (&Orders, Option<u64>, State),
    now: OffsetDateTime,
) -> Result<BulkId, DbError> {
    let json = Zeroizing::new(serde_json::to_vec(orders).expect("orders are plain data"));
    let sealed = keys.seal(LABEL, &json);
    store::insert(transaction, acting, (orders.kind(), sealed, total, state), now).await
}

/// Orders what its maker planned not long ago; `false` means that there is no such plan. One statement
/// decides, so it starts once.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn start(
    transaction: &Transaction,
    id: BulkId,
    by: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_started(transaction, id, by, now - PLANNED).await
}

/// One of them.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(db: &Db, id: BulkId) -> Result<Option<Bulk>, DbError> {
    store::find(db, id).await
}

/// The latest, newest first.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_latest(db: &Db, at_most: u64) -> Result<Vec<Bulk>, DbError> {
    store::list_latest(db, at_most).await
}

/// Which one is to be held.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// This one.
    This(BulkId),
    /// The oldest that no other node holds and that is none of these.
    NextBut(&'a [BulkId]),
}

/// Takes hold of one that is being done, until the transaction ends. What cannot be read any more comes
/// without orders.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn hold_next(
    transaction: &Transaction,
    keys: &Keys,
    which: Which<'_>,
) -> Result<Option<(Bulk, Option<Orders>)>, DbError> {
    let Some((bulk, sealed)) = store::lock_next(transaction, which).await? else { return Ok(None) };
    let json = keys.unseal(LABEL, &sealed).ok();
    let orders = json.and_then(|json| serde_json::from_slice(&json).ok());
    Ok(Some((bulk, orders)))
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
pub struct Progress {
    /// The last account that was looked at, or the number of people.
    pub place: i64,
    /// To how many it was done.
    pub done: u64,
    /// How many were left as they are.
    pub left_out: u64,
    /// How it stands now.
    pub state: State,
}

/// Writes down how far one that is held has come. What was ordered is forgotten when it is over.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn advance(
    transaction: &Transaction,
    id: BulkId,
    progress: Progress,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_progress(transaction, id, progress, now).await
}

/// Remembers how an account was before.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn remember(
    transaction: &Transaction,
    id: BulkId,
    before: &Account,
) -> Result<(), DbError> {
    store::insert_before(transaction, id, before).await
}

/// How some accounts after `place` were before, in their order.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_befores(
    transaction: &Transaction,
    id: BulkId,
    place: i64,
    at_most: u64,
) -> Result<Vec<(UserId, Before)>, DbError> {
    store::list_befores(transaction, id, place, at_most).await
}

/// Notes that one was taken back by another; `false` means that it cannot be, or was already. One
/// statement decides.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn set_undone(
    transaction: &Transaction,
    id: BulkId,
    by: BulkId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_undone(transaction, id, by, now - UNDO).await
}

/// Ends one that is being done; `false` means that it was over.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn stop(
    transaction: &Transaction,
    id: BulkId,
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
    store::delete_over(transaction, (now - KEEP, now - PLANNED), at_most).await
}

//! Changes whether an account may be used: deactivation, suspension, and deletion after a grace
//! period.
//!
//! The last active superuser can be neither deactivated nor deleted; a condition in each statement
//! ensures that.

mod store;

use serde_json::json;
use time::OffsetDateTime;

pub use store::{activate, deactivate, delete, list_suspended_until, lock_superusers, restore};

use super::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::db::{Db, DbError, Transaction};
use crate::types::{RequestInfo, UserId};

/// Why an account is deactivated.
#[derive(Debug, Clone, Copy)]
pub struct Deactivation<'a> {
    /// The reason, for staff; may be empty.
    pub reason: &'a str,
    /// When the suspension ends by itself.
    pub until: Option<OffsetDateTime>,
    /// When the account is deleted.
    pub deletes_at: Option<OffsetDateTime>,
}

/// The state of an account before a bulk job changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSnapshot {
    /// The version that the job's change gave to the account.
    pub version: i64,
    /// Whether the account could be used.
    pub is_active: bool,
    /// Why not; may be empty.
    pub reason: String,
    /// When the suspension would have ended.
    pub until: Option<OffsetDateTime>,
    /// When the account was to be deleted.
    pub deletes_at: Option<OffsetDateTime>,
}

/// Activates an account whose suspension is over. Returns `false` when it is not over, or when the
/// account was not suspended.
pub async fn end_suspension(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    // One conditional statement decides, so of several attempts one succeeds and writes the event.
    if !store::end_suspension(transaction, id, now).await? {
        return Ok(false);
    }
    let nobody = RequestInfo::from_terminal(String::new());
    let changes = json!({ "changes": { "is_active": [false, true] } });
    let event =
        AuditEvent::on_user(id, AuditEventKind::SuspensionExpired, &nobody).with_details(changes);
    audit::record(transaction, event, now).await?;
    Ok(true)
}

/// Schedules the deletion of an account. Returns `false` for the last active superuser.
pub async fn schedule_deletion(
    transaction: &Transaction,
    id: UserId,
    at: OffsetDateTime,
) -> Result<bool, DbError> {
    // Of the last two superusers who ask at once, the second must see the first one's deletion.
    lock_superusers(transaction).await?;
    store::update_deletes_at(transaction, id, at).await
}

/// Writes an audit event if a deletion was pending when the account was read, because a log-in has
/// just cancelled it. Returns whether one was.
pub async fn record_deletion_cancelled(
    transaction: &Transaction,
    account: &Account,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let was_pending = account.deletes_at.is_some();
    if was_pending {
        let event = AuditEvent::by_owner(account.user.id, AuditEventKind::DeletionCancelled, info);
        audit::record(transaction, event, now).await?;
    }
    Ok(was_pending)
}

/// Returns up to `at_most` accounts whose deletion is due, and up to `at_most` that have not
/// verified their address since `unverified_before`.
pub async fn list_due_for_deletion(
    db: &Db,
    unverified_before: Option<OffsetDateTime>,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let mut due = store::list_due(db, now, at_most).await?;
    if let Some(before) = unverified_before {
        due.extend(store::list_unverified(db, before, at_most).await?);
    }
    Ok(due)
}

//! The actions that staff can do to one account as well as to many: what each needs, does and leaves in
//! the audit log.
//!
//! Does not begin or commit a transaction, and does not know whether a page, the JSON API or a bulk job
//! asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Actor, AdminError, LockedTarget, lock_target, record_event};
use crate::accounts;
use crate::accounts::{Account, Deactivation};
use crate::audit::AuditEventKind;
use crate::db::Transaction;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{Permission, SessionId, UserId};

/// How long a deletion by staff can be undone.
const UNDO_WINDOW: Duration = Duration::from_hours(24);

/// An action on an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminAction {
    /// Activates the account; also cancels a deletion by staff.
    Activate,
    /// Suspends the account and ends its sessions.
    Deactivate {
        /// The reason, shown to staff only; may be empty.
        reason: String,
        /// When the suspension ends by itself.
        until: Option<OffsetDateTime>,
    },
    /// Marks the address as verified without a link.
    VerifyEmail,
    /// Ends every session of the user.
    EndSessions,
    /// Suspends the account at once and deletes it after a day; until then
    /// [`Activate`](Self::Activate) brings it back.
    Delete,
}

impl AdminAction {
    /// Returns the permission that the actor needs.
    #[must_use]
    pub fn permission(&self) -> Permission {
        match self {
            Self::Activate | Self::Deactivate { .. } | Self::VerifyEmail => Permission::UsersChange,
            Self::EndSessions => Permission::SessionsEnd,
            Self::Delete => Permission::UsersDelete,
        }
    }

    /// Tells whether the action takes the account away from its user.
    #[must_use]
    pub fn is_dangerous(&self) -> bool {
        matches!(self, Self::Deactivate { .. } | Self::Delete)
    }

    fn audit_kind(&self) -> AuditEventKind {
        match self {
            Self::Activate => AuditEventKind::Activated,
            Self::Deactivate { .. } => AuditEventKind::Deactivated,
            Self::VerifyEmail => AuditEventKind::VerifiedByStaff,
            Self::EndSessions => AuditEventKind::SessionsEndedByStaff,
            Self::Delete => AuditEventKind::DeletedByStaff,
        }
    }

    /// Tells whether the account is already as the action would leave it.
    #[must_use]
    pub fn is_moot(&self, account: &Account, now: OffsetDateTime) -> bool {
        match self {
            Self::Activate => account.is_active && account.deletes_at.is_none(),
            Self::VerifyEmail => account.user.email_verified_at.is_some(),
            Self::Delete => {
                !account.is_active && account.deletes_at.is_some_and(|at| at <= now + UNDO_WINDOW)
            }
            Self::Deactivate { .. } | Self::EndSessions => false,
        }
    }
}

/// An action that was done; the caller passes it to [`after_commit`](super::after_commit).
#[derive(Debug)]
pub struct PerformedAction {
    /// The account before the action.
    pub before: Account,
    /// The kind of its audit event.
    pub kind: AuditEventKind,
    /// The sessions that the action ended.
    pub ended_sessions: Vec<SessionId>,
}

/// Does an action to an account and writes its audit event, with `facts` among the details. Returns `None`
/// when the account already is as the action would leave it.
///
/// # Errors
/// [`AdminError`] says why the action was refused.
pub async fn perform(
    transaction: &Transaction,
    actor: Actor<'_>,
    target: UserId,
    (action, facts): (&AdminAction, Value),
    now: OffsetDateTime,
) -> Result<Option<PerformedAction>, AdminError> {
    if action.is_dangerous() {
        if actor.user.id == target {
            return Err(AdminError::OwnAccount);
        }
        accounts::lock_superusers(transaction).await?;
    }
    let locked = lock_target(transaction, actor, target).await?;
    if action.is_dangerous() {
        locked.must_not_outrank(transaction).await?;
    }
    let LockedTarget { actor: staff, account } = locked;
    if !staff.may(action.permission()) {
        return Err(AdminError::Forbidden);
    }
    if action.is_moot(&account, now) {
        return Ok(None);
    }
    let (mut details, ended_sessions) = change(transaction, &account, action, now).await?;
    if let (Some(details), Value::Object(facts)) = (details.as_object_mut(), facts) {
        details.extend(facts);
    }
    let kind = action.audit_kind();
    record_event(transaction, actor, target, (kind, details), now).await?;
    Ok(Some(PerformedAction { before: account, kind, ended_sessions }))
}

/// Changes the account. Returns the details for the audit log and the sessions that ended.
async fn change(
    transaction: &Transaction,
    account: &Account,
    action: &AdminAction,
    now: OffsetDateTime,
) -> Result<(Value, Vec<SessionId>), AdminError> {
    let (target, was_active) = (account.user.id, account.is_active);
    match action {
        AdminAction::Activate => {
            accounts::activate(transaction, target, now).await?;
            Ok((json!({ "changes": { "is_active": [was_active, true] } }), Vec::new()))
        }
        AdminAction::Deactivate { reason, until } => {
            // A deletion that the user scheduled goes on.
            let why = Deactivation { reason, until: *until, deletes_at: account.deletes_at };
            let ended = suspend(transaction, target, why, now).await?;
            let details = json!({
                "changes": { "is_active": [was_active, false] },
                "reason": reason,
                "until": until.map(OffsetDateTime::unix_timestamp),
            });
            Ok((details, ended))
        }
        AdminAction::VerifyEmail => {
            accounts::set_email_verified(transaction, target, now).await?;
            Ok((json!({ "changes": { "email_verified": [false, true] } }), Vec::new()))
        }
        AdminAction::EndSessions => {
            let why = EndReason::EndedByStaff;
            let ended = sessions::end_all(transaction, target, None, why, now).await?;
            Ok((json!({ "count": ended.len() }), ended))
        }
        AdminAction::Delete => {
            let due = now + UNDO_WINDOW;
            let why = Deactivation { reason: "", until: None, deletes_at: Some(due) };
            let ended = suspend(transaction, target, why, now).await?;
            let details = json!({
                "changes": { "is_active": [was_active, false] },
                "due_at": due.unix_timestamp(),
            });
            Ok((details, ended))
        }
    }
}

async fn suspend(
    transaction: &Transaction,
    target: UserId,
    why: Deactivation<'_>,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, AdminError> {
    if !accounts::deactivate(transaction, target, why, now).await? {
        return Err(AdminError::LastSuperuser);
    }
    let why = EndReason::Deactivated;
    Ok(sessions::end_all(transaction, target, None, why, now).await?)
}

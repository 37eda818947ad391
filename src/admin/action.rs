//! What can be done to one account as to many.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Actor, AdminError, LockedTarget, lock_target, record_event};
use crate::accounts;
use crate::accounts::{Account, Inactive};
use crate::audit::AuditEventKind;
use crate::db::Transaction;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{Permission, SessionId, UserId};

/// How long a deletion by staff can be undone.
const UNDO_WINDOW: Duration = Duration::from_hours(24);

/// A action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminAction {
    /// Lets an account be used again; also takes back a deletion that staff began.
    Activate,
    /// Forbids the use of an account and ends its sessions.
    Deactivate {
        /// Why, for staff; may be empty.
        reason: String,
        /// When the account may be used again by itself.
        until: Option<OffsetDateTime>,
    },
    /// Takes the address for proved, because whoever acts knows that it is.
    VerifyEmail,
    /// Ends every session of a person.
    EndSessions,
    /// Forbids the use of an account at once and deletes it after a day, within which
    /// [`Activate`](Self::Activate) brings it back.
    Delete,
}

impl AdminAction {
    /// What whoever does it must be allowed.
    #[must_use]
    pub fn permission(&self) -> Permission {
        match self {
            Self::Activate | Self::Deactivate { .. } | Self::VerifyEmail => Permission::UsersChange,
            Self::EndSessions => Permission::SessionsEnd,
            Self::Delete => Permission::UsersDelete,
        }
    }

    /// Whether it takes an account away from its person.
    #[must_use]
    pub fn is_dangerous(&self) -> bool {
        matches!(self, Self::Deactivate { .. } | Self::Delete)
    }

    /// What the trail calls it.
    fn action(&self) -> AuditEventKind {
        match self {
            Self::Activate => AuditEventKind::Activated,
            Self::Deactivate { .. } => AuditEventKind::Deactivated,
            Self::VerifyEmail => AuditEventKind::VerifiedByStaff,
            Self::EndSessions => AuditEventKind::SessionsEndedByStaff,
            Self::Delete => AuditEventKind::DeletedByStaff,
        }
    }

    /// Whether the account is already as the action would have it.
    #[must_use]
    pub fn is_moot(&self, account: &Account, now: OffsetDateTime) -> bool {
        match self {
            Self::Activate => account.is_active && account.deletes_at.is_none(),
            Self::VerifyEmail => account.person.email_verified_at.is_some(),
            Self::Delete => {
                !account.is_active && account.deletes_at.is_some_and(|at| at <= now + UNDO_WINDOW)
            }
            Self::Deactivate { .. } | Self::EndSessions => false,
        }
    }
}

/// What was done; to be told with [`done`](super::after_commit) after the commit.
#[derive(Debug)]
pub struct PerformedAction {
    /// The account as it was before.
    pub before: Account,
    /// What the trail calls it.
    pub action: AuditEventKind,
    /// The sessions that are over.
    pub over: Vec<SessionId>,
}

/// Does a action to an account, and writes it into the trail with these further facts; `None` means
/// that there was nothing to be done.
///
/// # Errors
/// [`AdminError`] says why it was not done.
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
        accounts::lock_to_remove(transaction).await?;
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
    let (mut details, over) = change(transaction, &account, action, now).await?;
    if let (Some(details), Value::Object(facts)) = (details.as_object_mut(), facts) {
        details.extend(facts);
    }
    record_event(transaction, actor, target, (action.action(), details), now).await?;
    Ok(Some(PerformedAction { before: account, action: action.action(), over }))
}

/// Changes the account; tells the facts for the trail, and the sessions that are over.
async fn change(
    transaction: &Transaction,
    account: &Account,
    action: &AdminAction,
    now: OffsetDateTime,
) -> Result<(Value, Vec<SessionId>), AdminError> {
    let (target, was_active) = (account.person.id, account.is_active);
    match action {
        AdminAction::Activate => {
            accounts::activate(transaction, target, now).await?;
            Ok((json!({ "changes": { "is_active": [was_active, true] } }), Vec::new()))
        }
        AdminAction::Deactivate { reason, until } => {
            // Whoever is leaving still leaves.
            let why = Inactive { reason, until: *until, deletes_at: account.deletes_at };
            let over = suspend(transaction, target, why, now).await?;
            let details = json!({
                "changes": { "is_active": [was_active, false] },
                "reason": reason,
                "until": until.map(OffsetDateTime::unix_timestamp),
            });
            Ok((details, over))
        }
        AdminAction::VerifyEmail => {
            accounts::set_verified(transaction, target, now).await?;
            Ok((json!({ "changes": { "email_verified": [false, true] } }), Vec::new()))
        }
        AdminAction::EndSessions => {
            let why = EndReason::EndedByStaff;
            let over = sessions::end_all(transaction, target, None, why, now).await?;
            Ok((json!({ "count": over.len() }), over))
        }
        AdminAction::Delete => {
            let due = now + UNDO_WINDOW;
            let why = Inactive { reason: "", until: None, deletes_at: Some(due) };
            let over = suspend(transaction, target, why, now).await?;
            let details = json!({
                "changes": { "is_active": [was_active, false] },
                "due_at": due.unix_timestamp(),
            });
            Ok((details, over))
        }
    }
}

async fn suspend(
    transaction: &Transaction,
    target: UserId,
    why: Inactive<'_>,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, AdminError> {
    if !accounts::deactivate(transaction, target, why, now).await? {
        return Err(AdminError::LastSuperuser);
    }
    let why = EndReason::Deactivated;
    Ok(sessions::end_all(transaction, target, None, why, now).await?)
}

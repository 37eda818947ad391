//! The actions that staff can do to one account or to many: what each needs, what it does, and its audit
//! event.
//!
//! Does not begin or commit a transaction, and does not know whether a page, the JSON API or a bulk job
//! calls it.

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
use crate::types::{Permission, UserId, stored_enum};

/// How long a deletion by staff can be undone.
const UNDO_WINDOW: Duration = Duration::from_hours(24);

stored_enum! {
    /// An action on an account. A new one needs a variant here, a row in [`AdminAction::spec`] and an arm in
    /// `change`; the compiler asks for both.
    #[derive(Serialize, Deserialize)]
    pub enum AdminAction {
        /// Activates the account; also cancels a deletion by staff.
        Activate = "activate",
        /// Suspends the account and ends its sessions.
        Deactivate = "deactivate",
        /// Marks the address as verified without a link.
        VerifyEmail = "verify",
        /// Ends every session of the user.
        EndSessions = "end_sessions",
        /// Suspends the account at once and deletes it after a day; until then
        /// [`Activate`](Self::Activate) brings it back.
        Delete = "delete",
    }
}

/// What there is to know about an action: who may do it, and what it is called.
#[derive(Debug, Clone, Copy)]
pub struct ActionSpec {
    /// The permission that the actor needs.
    pub permission: Permission,
    /// Whether the action takes the account away from its user.
    pub is_dangerous: bool,
    /// Whether a bulk job with this action can be undone.
    pub is_undoable: bool,
    /// The kind of its audit event.
    pub audit_kind: AuditEventKind,
    /// Translation keys of the page about one account: title, text and button.
    pub labels: [&'static str; 3],
    /// Translation keys of the page about many accounts: title and text.
    pub bulk_labels: [&'static str; 2],
}

impl AdminAction {
    /// Returns what there is to know about the action.
    #[must_use]
    pub fn spec(self) -> ActionSpec {
        match self {
            Self::Activate => ActionSpec {
                permission: Permission::UsersChange,
                is_dangerous: false,
                is_undoable: false,
                audit_kind: AuditEventKind::Activated,
                labels: [
                    "admin.user_action.activate.title",
                    "admin.user_action.activate.text",
                    "admin.user_action.activate.submit",
                ],
                bulk_labels: ["admin.bulk.activate.title", "admin.bulk.activate.text"],
            },
            Self::Deactivate => ActionSpec {
                permission: Permission::UsersChange,
                is_dangerous: true,
                is_undoable: true,
                audit_kind: AuditEventKind::Deactivated,
                labels: [
                    "admin.user_action.deactivate.title",
                    "admin.user_action.deactivate.text",
                    "admin.user_action.deactivate.submit",
                ],
                bulk_labels: ["admin.bulk.deactivate.title", "admin.bulk.deactivate.text"],
            },
            Self::VerifyEmail => ActionSpec {
                permission: Permission::UsersChange,
                is_dangerous: false,
                is_undoable: false,
                audit_kind: AuditEventKind::VerifiedByStaff,
                labels: [
                    "admin.user_action.verify.title",
                    "admin.user_action.verify.text",
                    "admin.user_action.verify.submit",
                ],
                bulk_labels: ["admin.bulk.verify.title", "admin.bulk.verify.text"],
            },
            Self::EndSessions => ActionSpec {
                permission: Permission::SessionsEnd,
                is_dangerous: false,
                is_undoable: false,
                audit_kind: AuditEventKind::SessionsEndedByStaff,
                labels: [
                    "admin.user_action.end_sessions.title",
                    "admin.user_action.end_sessions.text",
                    "admin.user_action.end_sessions.submit",
                ],
                bulk_labels: ["admin.bulk.end_sessions.title", "admin.bulk.end_sessions.text"],
            },
            Self::Delete => ActionSpec {
                permission: Permission::UsersDelete,
                is_dangerous: true,
                is_undoable: true,
                audit_kind: AuditEventKind::DeletedByStaff,
                labels: [
                    "admin.user_action.delete.title",
                    "admin.user_action.delete.text",
                    "admin.user_action.delete.submit",
                ],
                bulk_labels: ["admin.bulk.delete.title", "admin.bulk.delete.text"],
            },
        }
    }

    /// Returns the permission that the actor needs.
    #[must_use]
    pub fn permission(self) -> Permission {
        self.spec().permission
    }

    /// Returns whether the action takes the account away from its user.
    #[must_use]
    pub fn is_dangerous(self) -> bool {
        self.spec().is_dangerous
    }

    /// Returns whether the account is already as the action would leave it.
    #[must_use]
    pub fn is_moot(self, account: &Account, now: OffsetDateTime) -> bool {
        match self {
            Self::Activate => account.is_active && account.deletes_at.is_none(),
            Self::VerifyEmail => account.user.email_verified_at.is_some(),
            // A deletion that is due later than ours would be is brought forward.
            Self::Delete => {
                !account.is_active && account.deletes_at.is_some_and(|at| at <= now + UNDO_WINDOW)
            }
            Self::Deactivate | Self::EndSessions => false,
        }
    }
}

/// What [`AdminAction::Deactivate`] needs besides a target; other actions ignore it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// The reason, shown to staff only; may be empty.
    pub reason: String,
    /// When the suspension ends by itself.
    pub until: Option<OffsetDateTime>,
}

/// An action with what it needs besides a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRequest {
    pub action: AdminAction,
    /// The reason and the end, where the action is a suspension.
    pub suspension: Suspension,
}

impl From<AdminAction> for ActionRequest {
    fn from(action: AdminAction) -> Self {
        Self { action, suspension: Suspension::default() }
    }
}

/// An action that was done.
#[derive(Debug)]
pub struct PerformedAction {
    /// The account before the action.
    pub before: Account,
    /// The kind of its audit event.
    pub kind: AuditEventKind,
}

/// Does an action to an account and writes its audit event, with `facts` among the details. Returns `None`
/// when the account already is as the action would leave it.
pub async fn perform(
    transaction: &Transaction,
    actor: Actor<'_>,
    target: UserId,
    request: &ActionRequest,
    facts: Value,
    now: OffsetDateTime,
) -> Result<Option<PerformedAction>, AdminError> {
    let action = request.action;
    if action.is_dangerous() {
        if actor.user.id == target {
            return Err(AdminError::OwnAccount);
        }
        // Before the account is locked, so that all transactions lock in one order.
        accounts::lock_superusers(transaction).await?;
    }
    let locked = lock_target(transaction, actor, target).await?;
    if action.is_dangerous() {
        locked.must_not_outrank(transaction).await?;
    }
    let LockedTarget { actor: staff, account } = locked;
    // Again, in the transaction: the permission may have been taken away since the request was checked.
    if !staff.may(action.permission()) {
        return Err(AdminError::Forbidden);
    }
    if action.is_moot(&account, now) {
        return Ok(None);
    }
    let mut details = change(transaction, &account, request, now).await?;
    if let (Some(details), Value::Object(facts)) = (details.as_object_mut(), facts) {
        details.extend(facts);
    }
    let kind = action.spec().audit_kind;
    record_event(transaction, actor, target, kind, details, now).await?;
    Ok(Some(PerformedAction { before: account, kind }))
}

/// Changes the account. Returns the details for the audit log.
async fn change(
    transaction: &Transaction,
    account: &Account,
    request: &ActionRequest,
    now: OffsetDateTime,
) -> Result<Value, AdminError> {
    let (target, was_active) = (account.user.id, account.is_active);
    match request.action {
        AdminAction::Activate => {
            accounts::activate(transaction, target, now).await?;
            Ok(json!({ "changes": { "is_active": [was_active, true] } }))
        }
        AdminAction::Deactivate => {
            let Suspension { reason, until } = &request.suspension;
            // A deletion that is already scheduled stays scheduled.
            let why = Deactivation { reason, until: *until, deletes_at: account.deletes_at };
            suspend(transaction, target, why, now).await?;
            Ok(json!({
                "changes": { "is_active": [was_active, false] },
                "reason": reason,
                "until": until.map(OffsetDateTime::unix_timestamp),
            }))
        }
        AdminAction::VerifyEmail => {
            accounts::set_email_verified(transaction, target, now).await?;
            Ok(json!({ "changes": { "email_verified": [false, true] } }))
        }
        AdminAction::EndSessions => {
            let why = EndReason::EndedByStaff;
            let ended = sessions::end_all(transaction, target, None, why, now).await?;
            Ok(json!({ "count": ended.len() }))
        }
        AdminAction::Delete => {
            let due = now + UNDO_WINDOW;
            let why = Deactivation { reason: "", until: None, deletes_at: Some(due) };
            suspend(transaction, target, why, now).await?;
            Ok(json!({
                "changes": { "is_active": [was_active, false] },
                "due_at": due.unix_timestamp(),
            }))
        }
    }
}

async fn suspend(
    transaction: &Transaction,
    target: UserId,
    why: Deactivation<'_>,
    now: OffsetDateTime,
) -> Result<(), AdminError> {
    // A condition of the statement keeps the last superuser, so no check before it could be outdated.
    if !accounts::deactivate(transaction, target, why, now).await? {
        return Err(AdminError::LastSuperuser);
    }
    sessions::end_all(transaction, target, None, EndReason::Deactivated, now).await?;
    Ok(())
}

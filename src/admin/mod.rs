//! What staff may do to accounts: the rules and the actions, inside a transaction that a use case
//! begins and commits.
//!
//! Only superusers change superusers. Staff do not suspend, delete or demote a colleague who has
//! permissions that they lack, do none of these to their own account, and grant only permissions that
//! they have. The last active superuser stays. The entry point checks the actor's permission first;
//! the transaction of the action reads the roles again, because they may have changed since.

mod action;
pub mod bulk_job;
pub mod bulk_queue;
pub mod import;
mod imported_user;
mod store;

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;

pub use action::{ActionRequest, AdminAction, PerformedAction, Suspension, perform};
pub use imported_user::{ImportedUser, create_imported};

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{Db, DbError, Transaction};
use crate::groups;
use crate::groups::Group;
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::types::{RequestInfo, Secret, User, UserId};

/// How long an invitation works: long enough for a weekend.
const INVITATION_LASTS: Duration = Duration::from_hours(3 * 24);

/// The user who acts, and the request.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The user, with the permissions that the request was checked with.
    pub user: &'a User,
    /// The request.
    pub info: &'a RequestInfo,
}

/// Why an action on an account was refused.
#[derive(Debug, Error)]
pub enum AdminError {
    #[error("no such account")]
    NotFound,
    /// The actor lacks a permission, or the target has permissions that the actor lacks.
    #[error("a superuser is touched by superusers only")]
    Forbidden,
    /// The action is not allowed on one's own account.
    #[error("nobody does this to themselves")]
    OwnAccount,
    /// The target is the last active superuser.
    #[error("the last superuser stays")]
    LastSuperuser,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// An account that is locked until the transaction ends, and the actor, both as the database has
/// them now.
#[derive(Debug)]
pub struct LockedTarget {
    /// The actor with the permissions of their groups.
    pub actor: User,
    pub account: Account,
}

/// Locks an account for an action. Call [`accounts::lock_superusers`] before an action that can take
/// rights away.
pub async fn lock_target(
    transaction: &Transaction,
    actor: Actor<'_>,
    target: UserId,
) -> Result<LockedTarget, AdminError> {
    let account = accounts::lock(transaction, target).await?.ok_or(AdminError::NotFound)?;
    // After the lock, which may have waited for a change of the actor's own roles.
    let actor = reload_actor(transaction, actor.user.id).await?;
    if account.user.is_superuser && !actor.is_superuser {
        return Err(AdminError::Forbidden);
    }
    Ok(LockedTarget { actor, account })
}

impl LockedTarget {
    /// Returns whether the target has no permission that the actor lacks.
    pub async fn may_be_taken_over(&self, transaction: &Transaction) -> Result<bool, DbError> {
        let user = as_granted(transaction, self.account.user.clone()).await?;
        Ok(user.permissions().are_within(self.actor.permissions()))
    }

    /// Refuses when the target has a permission that the actor lacks.
    ///
    /// # Errors
    /// [`AdminError::Forbidden`], or the failure of the database.
    pub async fn must_not_outrank(&self, transaction: &Transaction) -> Result<(), AdminError> {
        let may_be = self.may_be_taken_over(transaction).await?;
        if may_be { Ok(()) } else { Err(AdminError::Forbidden) }
    }
}

/// Returns whether a user has a permission that the reader lacks, as both are now.
pub async fn outranks(db: &Db, user: &User, reader: &User) -> Result<bool, DbError> {
    // Roles alone answer most cases; only two ordinary staff members need the query.
    if user.is_superuser || !user.is_staff || reader.is_superuser {
        return Ok(user.is_superuser && !reader.is_superuser);
    }
    let granted = groups::granted_permissions(db, user.id).await?;
    Ok(!granted.are_within(reader.permissions()))
}

/// Reads the actor with the permissions of their groups, as they are now.
///
/// # Errors
/// [`AdminError::Forbidden`] when the actor is no longer staff.
pub async fn reload_actor(transaction: &Transaction, by: UserId) -> Result<User, AdminError> {
    let account = accounts::find_by_id(transaction, by).await?;
    let user = account.filter(|account| account.is_active).map(|account| account.user);
    let user = user.ok_or(AdminError::Forbidden)?;
    if !user.is_staff && !user.is_superuser {
        return Err(AdminError::Forbidden);
    }
    Ok(as_granted(transaction, user).await?)
}

async fn as_granted(transaction: &Transaction, user: User) -> Result<User, DbError> {
    let granted = groups::granted_permissions(transaction, user.id).await?;
    Ok(User { granted, ..user })
}

/// Returns whether the actor has everything that the role and the groups would grant.
#[must_use]
pub fn may_grant(actor: &User, superuser: bool, groups: &[&Group]) -> bool {
    let own = actor.permissions();
    (actor.is_superuser || !superuser)
        && groups.iter().all(|group| group.permissions.are_within(own))
}

/// Invites a user whose account was created for them to choose a password: sends the link by e-mail
/// and returns it.
pub async fn invite(
    ctx: &Context,
    transaction: &Transaction,
    user: UserId,
    to: &Recipient,
) -> Result<Secret, DbError> {
    let now = ctx.clock.now();
    let (reset, lasts) = (Purpose::ResetPassword, INVITATION_LASTS);
    let link = links::create_with_lifetime(ctx, transaction, reset, user, None, lasts).await?;
    let content = EmailContent::new(EmailKind::Invited).with_link(link.clone());
    outbox::enqueue(transaction, &ctx.keys, to, &content, now).await?;
    Ok(link)
}

/// Writes an action on an account into the audit log.
pub async fn record_event(
    transaction: &Transaction,
    actor: Actor<'_>,
    target: UserId,
    action: AuditEventKind,
    details: Value,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let event = AuditEvent::on_user(target, action, actor.info)
        .by_staff(actor.user.id)
        .with_details(details);
    audit::record(transaction, event, now).await
}

/// Writes the log line about a change that was committed.
pub fn log_change(actor: Actor<'_>, target: UserId, action: AuditEventKind) {
    tracing::info!(
        user.id = target.0,
        staff.id = actor.user.id.0,
        action = action.as_str(),
        request.id = actor.info.request_id,
        "staff changed an account"
    );
}

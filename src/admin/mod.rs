//! What staff may do to accounts, whatever page or file they do it from: the rules, and the deeds
//! within a transaction that a flow has begun and will commit.
//!
//! Only a superuser touches a superuser; staff suspend, delete or strip no colleague who may do more
//! than they do, deactivate, demote or delete not themselves, and
//! grant only what they have; and the last superuser whose account may be used stays, which the
//! database decides. Whether somebody may do the kind of action at all, the door has asked; what their
//! roles are is read again beside the action.

mod action;
pub mod bulk_job;
mod imported_user;
mod store;

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;

pub use action::{AdminAction, PerformedAction, perform};
pub use imported_user::{ImportedUser, create_imported};

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Ctx;
use crate::db::{Db, DbError, Transaction};
use crate::groups;
use crate::groups::Group;
use crate::links;
use crate::links::Purpose;
use crate::mail::{Kind, Letter};
use crate::outbox;
use crate::outbox::Addressee;
use crate::sessions;
use crate::types::{Caller, Person, Secret, SessionId, UserId};

/// How long an invitation works: over a weekend.
const INVITATION_LASTS: Duration = Duration::from_hours(3 * 24);

/// Who acts, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// The member of staff.
    pub user: &'a Person,
    /// The request.
    pub caller: &'a Caller,
}

/// Why nothing was done to an account.
#[derive(Debug, Error)]
pub enum AdminError {
    /// There is no such account.
    #[error("no such account")]
    NotFound,
    /// The user may do more than the actor, or the actor may not do this at all.
    #[error("a superuser is touched by superusers only")]
    Forbidden,
    /// Nobody does this to themselves.
    #[error("nobody does this to themselves")]
    OwnAccount,
    /// Nobody else could do everything then.
    #[error("the last superuser stays")]
    LastSuperuser,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// An account that stands still until the transaction ends, and whoever acts on it, as the database
/// has them now.
#[derive(Debug)]
pub struct LockedTarget {
    /// Whoever acts, with what their groups grant.
    pub actor: Person,
    /// The account.
    pub account: Account,
}

/// Takes lock_target of an account to act on it. Whoever may take somebody's rights away calls
/// [`accounts::lock_to_remove`] before.
///
/// # Errors
/// [`AdminError`] says why nobody may.
pub async fn lock_target(
    transaction: &Transaction,
    actor: Actor<'_>,
    target: UserId,
) -> Result<LockedTarget, AdminError> {
    let account = accounts::lock(transaction, target).await?.ok_or(AdminError::NotFound)?;
    let actor = reload_actor(transaction, actor.user.id).await?;
    if account.person.is_superuser && !actor.is_superuser {
        return Err(AdminError::Forbidden);
    }
    Ok(LockedTarget { actor, account })
}

impl LockedTarget {
    /// Whether the person may do nothing on the admin pages that whoever acts may not: being the
    /// person would otherwise be a way up.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot say.
    pub async fn may_be_taken_over(&self, transaction: &Transaction) -> Result<bool, DbError> {
        let person = as_granted(transaction, self.account.person.clone()).await?;
        Ok(person.permissions().are_within(self.actor.permissions()))
    }
}

impl LockedTarget {
    /// Fails where the user may do something on the admin pages that the actor may not.
    ///
    /// # Errors
    /// [`AdminError::Forbidden`] then, or what the database says.
    pub async fn must_not_outrank(&self, transaction: &Transaction) -> Result<(), AdminError> {
        let is_within = self.may_be_taken_over(transaction).await?;
        if is_within { Ok(()) } else { Err(AdminError::Forbidden) }
    }
}

/// Whether a user may do something on the admin pages that a reader may not, as both are now.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn outranks(db: &Db, person: &Person, reader: &Person) -> Result<bool, DbError> {
    if person.is_superuser || !person.is_staff || reader.is_superuser {
        return Ok(person.is_superuser && !reader.is_superuser);
    }
    let granted = groups::granted_permissions(db, person.id).await?;
    Ok(!granted.are_within(reader.permissions()))
}

/// Whoever acts, as the database has them now: what the request knows of them may be older than the
/// act of somebody else that took their roles away.
///
/// # Errors
/// [`AdminError::Forbidden`] when they are staff no more.
pub async fn reload_actor(transaction: &Transaction, by: UserId) -> Result<Person, AdminError> {
    let account = accounts::find_by_id_in(transaction, by).await?;
    let person = account.filter(|account| account.is_active).map(|account| account.person);
    let person = person.ok_or(AdminError::Forbidden)?;
    if !person.is_staff && !person.is_superuser {
        return Err(AdminError::Forbidden);
    }
    Ok(as_granted(transaction, person).await?)
}

async fn as_granted(transaction: &Transaction, person: Person) -> Result<Person, DbError> {
    let granted = groups::granted_permissions_in(transaction, person.id).await?;
    Ok(Person { granted, ..person })
}

/// Nobody grants what they do not have.
#[must_use]
pub fn may_grant(actor: &Person, superuser: bool, groups: &[&Group]) -> bool {
    let own = actor.permissions();
    (actor.is_superuser || !superuser)
        && groups.iter().all(|group| group.permissions.are_within(own))
}

/// Invites somebody whose account was made for them to choose a password; the link also goes out by
/// letter.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn invite(
    ctx: &Ctx,
    transaction: &Transaction,
    user: UserId,
    to: &Addressee,
) -> Result<Secret, DbError> {
    let now = ctx.clock.now();
    let (reset, lasts) = (Purpose::ResetPassword, (now, INVITATION_LASTS));
    let link = links::mint_for(transaction, ctx.random, reset, (user, None), lasts).await?;
    let letter = Letter::new(Kind::Invited).with_link(link.clone());
    outbox::put(transaction, &ctx.keys, to, &letter, now).await?;
    Ok(link)
}

/// Writes what was done to an account into the trail.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn record_event(
    transaction: &Transaction,
    actor: Actor<'_>,
    target: UserId,
    (action, details): (AuditEventKind, Value),
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let event = AuditEvent::on_user(target, action, actor.caller)
        .by_staff(actor.user.id)
        .with_details(details);
    audit::record(transaction, event, now).await
}

/// Lets go of what is remembered of a person after the commit, and tells the log.
pub fn after_commit(
    ctx: &Ctx,
    actor: Actor<'_>,
    (target, action): (UserId, AuditEventKind),
    over: Vec<SessionId>,
) {
    ctx.cache.forget_person(target);
    for session in over {
        sessions::ended(ctx, session);
    }
    tracing::info!(
        user.id = target.0,
        staff.id = actor.user.id.0,
        action = action.as_str(),
        request.id = actor.caller.request_id,
        "staff changed an account"
    );
}

//! What staff may do to accounts, whatever page or file they do it from: the rules, and the deeds
//! within a transaction that a flow has begun and will commit.
//!
//! Only a superuser touches a superuser; staff suspend, delete or strip no colleague who may do more
//! than they do, deactivate, demote or delete not themselves, and
//! grant only what they have; and the last superuser whose account may be used stays, which the
//! database decides. Whether somebody may do the kind of deed at all, the door has asked; what their
//! roles are is read again beside the deed.

mod action;
pub mod bulk_job;
mod imported_user;
mod store;

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;

pub use action::{Deed, Done, carry_out};
pub use imported_user::{Newcomer, let_in};

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{Action, Event};
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
pub struct Acting<'a> {
    /// The member of staff.
    pub by: &'a Person,
    /// The request.
    pub caller: &'a Caller,
}

/// Why nothing was done to an account.
#[derive(Debug, Error)]
pub enum ActError {
    /// There is no such account.
    #[error("no such account")]
    Unknown,
    /// The user may do more than the actor, or the actor may not do this at all.
    #[error("a superuser is touched by superusers only")]
    AboveOneself,
    /// Nobody does this to themselves.
    #[error("nobody does this to themselves")]
    Oneself,
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
pub struct Held {
    /// Whoever acts, with what their groups grant.
    pub actor: Person,
    /// The account.
    pub account: Account,
}

/// Takes hold of an account to act on it. Whoever may take somebody's rights away calls
/// [`accounts::lock_to_remove`] before.
///
/// # Errors
/// [`ActError`] says why nobody may.
pub async fn hold(
    transaction: &Transaction,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<Held, ActError> {
    let account = accounts::lock(transaction, whom).await?.ok_or(ActError::Unknown)?;
    let actor = actor(transaction, acting.by.id).await?;
    if account.person.is_superuser && !actor.is_superuser {
        return Err(ActError::AboveOneself);
    }
    Ok(Held { actor, account })
}

impl Held {
    /// Whether the person may do nothing on the admin pages that whoever acts may not: being the
    /// person would otherwise be a way up.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot say.
    pub async fn is_within_reach(&self, transaction: &Transaction) -> Result<bool, DbError> {
        let person = as_granted(transaction, self.account.person.clone()).await?;
        Ok(person.permissions().are_within(self.actor.permissions()))
    }
}

impl Held {
    /// Fails where the user may do something on the admin pages that the actor may not.
    ///
    /// # Errors
    /// [`ActError::AboveOneself`] then, or what the database says.
    pub async fn must_be_within_reach(&self, transaction: &Transaction) -> Result<(), ActError> {
        let is_within = self.is_within_reach(transaction).await?;
        if is_within { Ok(()) } else { Err(ActError::AboveOneself) }
    }
}

/// Whether a user may do something on the admin pages that a reader may not, as both are now.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn is_beyond(db: &Db, person: &Person, reader: &Person) -> Result<bool, DbError> {
    if person.is_superuser || !person.is_staff || reader.is_superuser {
        return Ok(person.is_superuser && !reader.is_superuser);
    }
    let granted = groups::granted(db, person.id).await?;
    Ok(!granted.are_within(reader.permissions()))
}

/// Whoever acts, as the database has them now: what the request knows of them may be older than the
/// act of somebody else that took their roles away.
///
/// # Errors
/// [`ActError::AboveOneself`] when they are staff no more.
pub async fn actor(transaction: &Transaction, by: UserId) -> Result<Person, ActError> {
    let account = accounts::find_by_id_in(transaction, by).await?;
    let person = account.filter(|account| account.is_active).map(|account| account.person);
    let person = person.ok_or(ActError::AboveOneself)?;
    if !person.is_staff && !person.is_superuser {
        return Err(ActError::AboveOneself);
    }
    Ok(as_granted(transaction, person).await?)
}

async fn as_granted(transaction: &Transaction, person: Person) -> Result<Person, DbError> {
    let granted = groups::granted_in(transaction, person.id).await?;
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
pub async fn record(
    transaction: &Transaction,
    acting: Acting<'_>,
    whom: UserId,
    (action, details): (Action, Value),
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let event = Event::on(whom, action, acting.caller).by_staff(acting.by.id).with(details);
    audit::record(transaction, event, now).await
}

/// Lets go of what is remembered of a person after the commit, and tells the log.
pub fn done(ctx: &Ctx, acting: Acting<'_>, (whom, action): (UserId, Action), over: Vec<SessionId>) {
    ctx.cache.forget_person(whom);
    for session in over {
        sessions::ended(ctx, session);
    }
    tracing::info!(
        user.id = whom.0,
        staff.id = acting.by.id.0,
        action = action.as_str(),
        request.id = acting.caller.request_id,
        "staff changed an account"
    );
}

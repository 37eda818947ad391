//! What staff do to accounts: one act, one transaction, one event in the trail.
//!
//! The rules stand here and nowhere else. Only a superuser touches a superuser; nobody deactivates or
//! deletes themselves; and the last superuser whose account may be used stays, which the database
//! decides. Whether somebody may do the kind of act at all, the door has asked.

use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;
use time::OffsetDateTime;

use crate::accounts::{self, Account};
use crate::audit::{self, Action, Event};
use crate::ctx::Ctx;
use crate::db::{DbError, Transaction};
use crate::links::{self, Purpose};
use crate::mail::{Kind, Letter};
use crate::outbox;
use crate::sessions::{self, EndReason};
use crate::types::{Caller, Person, Secret, SessionId, UserId};

/// How long a deletion by staff can be undone.
const UNDO: Duration = Duration::from_hours(24);

/// Why an act was not done.
#[derive(Debug, Error)]
pub enum ModerationError {
    /// There is no such account.
    #[error("no such account")]
    Unknown,
    /// The account is a superuser's, and whoever acts is none.
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

/// Who acts, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'a> {
    /// The member of staff.
    pub by: &'a Person,
    /// The request.
    pub caller: &'a Caller,
}

/// Lets an account be used again; also takes back a deletion that staff began.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn activate(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    if act.account.is_active && act.account.deletes_at.is_none() {
        return Ok(());
    }
    accounts::activate(&act.transaction, whom, now).await?;
    let changes = json!({ "is_active": [act.account.is_active, true] });
    finish(ctx, acting, act, Action::Activated, json!({ "changes": changes }), Vec::new()).await
}

/// Forbids the use of an account, for a reason and perhaps until an instant, and ends its sessions.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn deactivate(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
    (reason, until): (&str, Option<OffsetDateTime>),
) -> Result<(), ModerationError> {
    let act = begin_against(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    let why = accounts::Inactive { reason, until, deletes_at: None };
    let over = suspend(&act, whom, why, now).await?;
    let details = json!({
        "changes": { "is_active": [act.account.is_active, false] },
        "reason": reason,
        "until": until.map(OffsetDateTime::unix_timestamp),
    });
    finish(ctx, acting, act, Action::Deactivated, details, over).await
}

/// Forbids the use of an account at once and deletes it after a day, within which
/// [`activate`] brings it back.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn delete(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<(), ModerationError> {
    let act = begin_against(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    let deletes_at = now + UNDO;
    let why = accounts::Inactive { reason: "", until: None, deletes_at: Some(deletes_at) };
    let over = suspend(&act, whom, why, now).await?;
    let details = json!({
        "changes": { "is_active": [act.account.is_active, false] },
        "due_at": deletes_at.unix_timestamp(),
    });
    finish(ctx, acting, act, Action::DeletionByStaff, details, over).await
}

/// Takes the address for proved, because whoever acts knows that it is.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn verify(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    if act.account.person.email_verified_at.is_some() {
        return Ok(());
    }
    accounts::set_verified(&act.transaction, whom, ctx.clock.now()).await?;
    let changes = json!({ "email_verified": [false, true] });
    let details = json!({ "changes": changes });
    finish(ctx, acting, act, Action::VerifiedByStaff, details, Vec::new()).await
}

/// Ends every session of a person.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn end_sessions(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    let why = EndReason::EndedByStaff;
    let over = sessions::end_all(&act.transaction, whom, None, why, now).await?;
    let details = json!({ "count": over.len() });
    finish(ctx, acting, act, Action::SessionsEndedByStaff, details, over).await
}

/// Makes a link for a new password, to be handed over or, if `by_letter`, sent to the person. The
/// person's older links for this stop working.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn reset_link(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
    by_letter: bool,
) -> Result<Secret, ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    let reset = Purpose::ResetPassword;
    let every = OffsetDateTime::UNIX_EPOCH;
    links::end(&act.transaction, whom, &[reset], every, now).await?;
    let link = links::mint(&act.transaction, ctx.random, reset, (whom, None), now).await?;
    if by_letter {
        let letter = Letter::new(Kind::ResetPassword).with_link(link.clone());
        let to = act.account.addressee();
        outbox::put(&act.transaction, &ctx.keys, &to, &letter, now).await?;
    }
    let details = json!({ "by_letter": by_letter });
    finish(ctx, acting, act, Action::ResetLinkMade, details, Vec::new()).await?;
    Ok(link)
}

/// Makes the password stop working, and ends every session.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn lock_password(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    accounts::set_password(&act.transaction, whom, None, now).await?;
    let why = EndReason::PasswordChanged;
    let over = sessions::end_all(&act.transaction, whom, None, why, now).await?;
    finish(ctx, acting, act, Action::PasswordLocked, json!({}), over).await
}

/// An act that has begun: the account stands still until it is done.
struct Act {
    transaction: Transaction,
    account: Account,
}

async fn begin(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<Act, ModerationError> {
    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, whom).await?.ok_or(ModerationError::Unknown)?;
    if account.person.is_superuser && !acting.by.is_superuser {
        return Err(ModerationError::AboveOneself);
    }
    Ok(Act { transaction, account })
}

/// Begins an act after which the account may not be used.
async fn begin_against(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<Act, ModerationError> {
    if acting.by.id == whom {
        return Err(ModerationError::Oneself);
    }
    let transaction = ctx.db.begin().await?;
    accounts::lock_to_remove(&transaction).await?;
    let account = accounts::lock(&transaction, whom).await?.ok_or(ModerationError::Unknown)?;
    if account.person.is_superuser && !acting.by.is_superuser {
        return Err(ModerationError::AboveOneself);
    }
    Ok(Act { transaction, account })
}

async fn suspend(
    act: &Act,
    whom: UserId,
    why: accounts::Inactive<'_>,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, ModerationError> {
    if !accounts::deactivate(&act.transaction, whom, why, now).await? {
        return Err(ModerationError::LastSuperuser);
    }
    let why = EndReason::Deactivated;
    Ok(sessions::end_all(&act.transaction, whom, None, why, now).await?)
}

async fn finish(
    ctx: &Ctx,
    acting: Acting<'_>,
    act: Act,
    action: Action,
    details: Value,
    over: Vec<SessionId>,
) -> Result<(), ModerationError> {
    let whom = act.account.person.id;
    let event = Event::on(whom, action, acting.caller).by_staff(acting.by.id).with(details);
    audit::record(&act.transaction, event, ctx.clock.now()).await?;
    act.transaction.commit().await?;
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
    Ok(())
}

//! Proving that an address belongs to the person: a letter, a button, and it is proved.

use std::time::Duration;

use thiserror::Error;

use crate::accounts;
use crate::audit::{self, Action, Event};
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::links::{self, LinkError, Purpose};
use crate::mail::{Kind, Letter};
use crate::outbox;
use crate::sessions::{self, EndReason};
use crate::throttle::{self, Limit, ThrottleError};
use crate::types::{Caller, Email, Secret, SessionId, UserId};

/// Once a minute: by then the first letter has arrived.
const BY_MINUTE: Limit = Limit {
    name: "verify-minute",
    free: 0,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_mins(1),
    longest_wait: Duration::from_mins(1),
};

/// Five times a day: whoever does not find the letter then will not find a sixth.
const BY_DAY: Limit = Limit {
    name: "verify-day",
    free: 4,
    forgets_one_in: Duration::from_hours(24),
    first_wait: Duration::from_hours(24),
    longest_wait: Duration::from_hours(24),
};

/// Why no letter was sent.
#[derive(Debug, Error)]
pub enum SendAgainError {
    /// The address is proved already.
    #[error("the address is proved")]
    Done,
    /// The last letter is too recent, or there were enough today.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Sends the link again to a signed-in person.
///
/// # Errors
/// [`SendAgainError`] says why not.
pub async fn send_again(ctx: &Ctx, user: UserId, caller: &Caller) -> Result<(), SendAgainError> {
    let now = ctx.clock.now();
    let account = accounts::find_by_id(&ctx.db, user).await?;
    let account = account.filter(|account| account.person.email_verified_at.is_none());
    let account = account.ok_or(SendAgainError::Done)?;
    let subject = user.to_string();
    let tries = [BY_DAY.on(&subject), BY_MINUTE.on(&subject)];
    throttle::admit(&ctx.db, &tries, now).await?;

    let transaction = ctx.db.begin().await?;
    let whose = (user, Some(&account.person.email));
    let link = links::mint(&transaction, ctx.random, Purpose::VerifyEmail, whose, now).await?;
    let letter = Letter::new(Kind::VerifyEmail).with_link(link).about(caller, now);
    outbox::put(&transaction, &ctx.keys, &account.addressee(), &letter, now).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, request.id = caller.request_id, "verification sent again");
    Ok(())
}

/// Proves an address by link. Every session ends but the one of whoever follows the link: if somebody
/// else joined with this address, they are out.
///
/// # Errors
/// [`LinkError`] says why not.
pub async fn by_link(
    ctx: &Ctx,
    token: &Secret,
    session: Option<SessionId>,
    caller: &Caller,
) -> Result<(), LinkError> {
    let now = ctx.clock.now();
    let link = links::find(&ctx.db, token, now).await?;
    let link = link.filter(|link| link.purpose == Purpose::VerifyEmail);
    let link = link.ok_or(LinkError::Dead)?;
    let user = link.user;

    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?.filter(|account| account.is_active);
    let email = account.as_ref().map(|account| account.person.email.canonical());
    let is_about_it = email.is_some() && email == link.email.as_ref().map(Email::canonical);
    if !is_about_it || !links::consume(&transaction, token, Purpose::VerifyEmail, now).await? {
        return Err(LinkError::Dead);
    }
    accounts::set_verified(&transaction, user, now).await?;
    let why = EndReason::EmailVerified;
    let over = sessions::end_all(&transaction, user, session, why, now).await?;
    audit::record(&transaction, Event::by(user, Action::EmailVerified, caller), now).await?;
    transaction.commit().await?;
    ctx.cache.forget_person(user);
    for session in over {
        sessions::ended(ctx, session);
    }
    tracing::info!(user.id = user.0, request.id = caller.request_id, "the address was proved");
    Ok(())
}

//! Proving that an address belongs to the person: a letter, a button, and it is proved.

use std::time::Duration;

use thiserror::Error;

use crate::accounts::{self, Account};
use crate::audit::{self, Action, Event};
use crate::config::EmailVerification;
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::links::{self, LinkError, Purpose};
use crate::mail::{Kind, Letter};
use crate::outbox::{self, Addressee};
use crate::sessions::{self, EndReason};
use crate::throttle::{self, Limit, ThrottleError};
use crate::types::{Caller, Email, Language, Secret, SessionId, UserId};

/// Requests from one place, for whichever addresses: a school may join on one day.
const BY_PLACE: Limit = Limit {
    name: "verify-place",
    free: 50,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(10),
};

/// Why no letter was sent.
#[derive(Debug, Error)]
pub enum SendAgainError {
    /// The site does not ask for proof.
    #[error("no proof is asked for")]
    Off,
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
    if ctx.settings.email_verification == EmailVerification::None {
        return Err(SendAgainError::Off);
    }
    let account = accounts::find_by_id(&ctx.db, user).await?;
    unproved(account)?;
    accounts::count_proof_letter(ctx, user).await?;

    let transaction = ctx.db.begin().await?;
    // Asked again under the lock: the address may have been proved or changed since.
    let account = unproved(accounts::lock(&transaction, user).await?)?;
    accounts::ask_for_proof(ctx, &transaction, user, &account.addressee(), caller).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, request.id = caller.request_id, "verification sent again");
    Ok(())
}

/// Asks for the link again, for whatever address. Nobody learns here whether it has an account, or
/// whether it is proved: whoever sends letters looks that up.
///
/// # Errors
/// [`ThrottleError`] when nothing was asked.
pub async fn ask(
    ctx: &Ctx,
    email: Email,
    language: Language,
    caller: &Caller,
) -> Result<(), ThrottleError> {
    if ctx.settings.email_verification == EmailVerification::None {
        return Ok(());
    }
    let now = ctx.clock.now();
    let place = BY_PLACE.on(&ctx.keys.pseudonym(&caller.place()));
    throttle::admit(&ctx.db, &[place], now).await?;
    let to = Addressee { user: None, email, language };
    let request = Letter::new(Kind::VerifyEmail).about(caller, now);
    let transaction = ctx.db.begin().await?;
    outbox::put(&transaction, &ctx.keys, &to, &request, now).await?;
    transaction.commit().await?;
    tracing::info!(request.id = caller.request_id, "the link that proves an address was asked for");
    Ok(())
}

fn unproved(account: Option<Account>) -> Result<Account, SendAgainError> {
    let account = account.filter(|account| account.person.email_verified_at.is_none());
    account.ok_or(SendAgainError::Done)
}

/// What a link that does not work any more was for, where its work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The address is proved.
    Verified,
    /// The account has moved to the address.
    Changed,
}

/// Returns what is done already of what a link was for; `None` when it is not, or not any more. A user
/// who opens a link for the second time is told so, rather than that something is wrong.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn done_by(ctx: &Ctx, token: &Secret) -> Result<Option<Done>, DbError> {
    let Some(link) = links::find_past(&ctx.db, token).await? else { return Ok(None) };
    let done = match link.purpose {
        Purpose::VerifyEmail => Done::Verified,
        Purpose::ChangeEmail => Done::Changed,
        Purpose::Setup | Purpose::ResetPassword | Purpose::UndoEmailChange | Purpose::NotMe => {
            return Ok(None);
        }
    };
    let Some(user) = link.user else { return Ok(None) };
    let account = accounts::find_by_id(&ctx.db, user).await?.filter(|account| account.is_active);
    let is_so = account.zip(link.email).is_some_and(|(account, email)| {
        account.person.email.canonical() == email.canonical()
            && account.person.email_verified_at.is_some()
    });
    Ok(is_so.then_some(done))
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

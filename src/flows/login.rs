//! Logging in by password.
//!
//! Whatever a stranger can get wrong (the address, the password, an account that is not active or
//! whose address is not proved where it must be) costs the same work and gets the same answer.

use std::time::Duration;

use crate::accounts::Account;
use crate::audit::{self, Action, Event};
use crate::config::EmailVerification;
use crate::ctx::Ctx;
use crate::db::{DbError, Transaction};
use crate::links::{self, Purpose};
use crate::mail::{Kind, Letter};
use crate::outbox;
use crate::sessions::{self, EndReason, Opened, Proof, ProveError, Proved};
use crate::throttle::{self, Limit, ThrottleError};
use crate::types::{Caller, Email, Password, SessionId};

/// Letters that logging in again and again, which the owner alone can do, sends to one address.
const LETTERS: Limit = Limit {
    name: "login-letters",
    free: 9,
    forgets_one_in: Duration::from_hours(2),
    first_wait: Duration::from_hours(1),
    longest_wait: Duration::from_hours(24),
};

/// What a person logs in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// A person who has just logged in.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The session.
    pub opened: Opened,
    /// Whether the account was to be deleted, and is not any more.
    pub has_stayed: bool,
}

/// Signs a person in. A session that the browser had before ends.
///
/// # Errors
/// [`ProveError`] says why not.
pub async fn with_password(
    ctx: &Ctx,
    credentials: Credentials,
    before: Option<SessionId>,
    caller: &Caller,
) -> Result<LoggedIn, ProveError> {
    let Credentials { email, password } = credentials;
    let proved = sessions::prove(ctx, &email, password, caller).await?;
    let user = proved.account.person.id;
    let letter = letter(ctx, &proved, caller).await?;

    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // Whether the account may be used is asked after the password, and answered like a wrong one; so
    // is a password that was changed while it was being compared.
    let proof = Proof::Password(&proved.hash);
    let opened = sessions::start(ctx, &transaction, (user, &email), proof, caller).await?;
    let Some(opened) = opened else {
        drop(transaction);
        tracing::info!(user.id = user.0, request.id = caller.request_id, "log-in refused");
        if let Some(Kind::VerifyEmail) = letter {
            remind(ctx, &proved.account, caller).await?;
        }
        return Err(ProveError::Wrong);
    };
    let has_stayed = proved.account.deletes_at.is_some();
    if has_stayed {
        let event = Event::by(user, Action::DeletionCancelled, caller);
        audit::record(&transaction, event, now).await?;
    }
    if let Some(Kind::NewDevice) = letter {
        tell(ctx, &transaction, &proved.account, caller).await?;
    }
    proved.give_back(&transaction).await?;
    if let Some(before) = before {
        sessions::end(&transaction, before, EndReason::Replaced, now).await?;
    }
    transaction.commit().await?;
    before.inspect(|session| sessions::ended(ctx, *session));
    tracing::info!(
        user.id = user.0, session.id = %opened.session, request.id = caller.request_id,
        "logged in"
    );
    Ok(LoggedIn { opened, has_stayed })
}

/// The letter that this log-in is an occasion for: a reminder to prove the address where it must be,
/// or word of a new device; none when the address has had enough of them today.
async fn letter(ctx: &Ctx, proved: &Proved, caller: &Caller) -> Result<Option<Kind>, DbError> {
    let person = &proved.account.person;
    let must_verify = ctx.settings.email_verification == EmailVerification::Mandatory
        && person.email_verified_at.is_none();
    let kind = match must_verify {
        true => Kind::VerifyEmail,
        false if !proved.is_known_device => Kind::NewDevice,
        false => return Ok(None),
    };
    let tries = [LETTERS.on(&person.id.to_string())];
    match throttle::admit(&ctx.db, &tries, ctx.clock.now()).await {
        Ok(()) => Ok(Some(kind)),
        Err(ThrottleError::TooSoon(_)) => {
            tracing::info!(request.id = caller.request_id, "no letter: there were enough");
            Ok(None)
        }
        Err(ThrottleError::Broken(error)) => Err(error),
    }
}

/// Sends the link once more to somebody who knows the password and has not proved the address yet.
async fn remind(ctx: &Ctx, account: &Account, caller: &Caller) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let person = &account.person;
    let transaction = ctx.db.begin().await?;
    let whose = (person.id, Some(&person.email));
    let link = links::mint(&transaction, ctx.random, Purpose::VerifyEmail, whose, now).await?;
    let letter = Letter::new(Kind::VerifyEmail).with_link(link).about(caller, now);
    outbox::put(&transaction, &ctx.keys, &account.addressee(), &letter, now).await?;
    transaction.commit().await
}

/// Tells the owner about a sign-in on a device that the account does not know.
async fn tell(
    ctx: &Ctx,
    transaction: &Transaction,
    account: &Account,
    caller: &Caller,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let whose = (account.person.id, Some(&account.person.email));
    let not_me = links::mint(transaction, ctx.random, Purpose::NotMe, whose, now).await?;
    let letter = Letter::new(Kind::NewDevice).with_not_me(not_me).about(caller, now);
    outbox::put(transaction, &ctx.keys, &account.addressee(), &letter, now).await
}

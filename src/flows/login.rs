//! Logging in by password.
//!
//! Whatever a stranger can get wrong (the address, the password, an account that is not active)
//! costs the same work and gets the same answer.

use std::time::Duration;

use thiserror::Error;

use crate::accounts::{self, Account, ProvedHash};
use crate::audit::{self, Action, Event};
use crate::crypto::QueueFull;
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::sessions::{self, EndReason, Opened, Proof};
use crate::throttle::{self, Limit, ThrottleError, Try};
use crate::types::{Caller, Email, Password, SessionId, UserId};

/// Guesses at one account from devices that it was never signed in on. Ten honest slips are free;
/// at an hour's wait a guesser stays far below the 100 tries that NIST SP 800-63B-4, 3.2.2 allows.
const BY_ACCOUNT: Limit = Limit {
    name: "login-account",
    free: 10,
    forgets_one_in: Duration::from_hours(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_hours(1),
};

/// Guesses from one place at any account. A school behind one address slips more often than a
/// person, and must not wait long for one vandal.
const BY_PLACE: Limit = Limit {
    name: "login-place",
    free: 100,
    forgets_one_in: Duration::from_secs(30),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(5),
};

/// Guesses at an account from a device that knows it: the owner, or whoever took the device.
const BY_DEVICE: Limit = Limit {
    name: "login-device",
    free: 10,
    forgets_one_in: Duration::from_mins(10),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_hours(1),
};

/// What a person logs in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// Why somebody could not log in.
#[derive(Debug, Error)]
pub enum LogInError {
    /// Unknown address, wrong password, or an account that is not active: nobody learns which.
    #[error("wrong credentials")]
    WrongCredentials,
    /// Too many tries on this account or from there.
    #[error("too many tries")]
    TooSoon(Duration),
    /// Too many people at once.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

impl From<ThrottleError> for LogInError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooSoon(wait) => Self::TooSoon(wait),
            ThrottleError::Broken(error) => Self::Broken(error),
        }
    }
}

/// Signs a person in. A session that the browser had before ends.
///
/// # Errors
/// [`LogInError`] says why not.
pub async fn with_password(
    ctx: &Ctx,
    credentials: Credentials,
    before: Option<SessionId>,
    caller: &Caller,
) -> Result<Opened, LogInError> {
    let Credentials { email, password } = credentials;
    let device = sessions::known_device(&ctx.keys, &email, caller);
    let tries = tries(ctx, &email, device, caller);
    throttle::admit(&ctx.db, &tries, ctx.clock.now()).await.inspect_err(|error| {
        if let ThrottleError::TooSoon(_) = error {
            tracing::info!(request.id = caller.request_id, "log-in refused: too many tries");
        }
    })?;
    let account = accounts::find(&ctx.db, &email).await?;
    let Some((user, hash)) = prove(ctx, account, password, caller).await? else {
        return Err(LogInError::WrongCredentials);
    };

    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // Whether the account is active is asked after the password, and answered like a wrong one; so is
    // a password that was changed while it was being compared.
    let proof = Proof::Password(&hash);
    let opened = sessions::start(ctx, &transaction, (user, &email), proof, caller).await?;
    let Some(opened) = opened else {
        tracing::info!(
            user.id = user.0,
            request.id = caller.request_id,
            "log-in refused: not active"
        );
        return Err(LogInError::WrongCredentials);
    };
    throttle::give_back(&transaction, &tries).await?;
    if let Some(before) = before {
        sessions::end(&transaction, before, EndReason::Replaced, now).await?;
    }
    transaction.commit().await?;
    before.inspect(|session| sessions::ended(ctx, *session));
    tracing::info!(
        user.id = user.0, session.id = %opened.session, request.id = caller.request_id,
        "logged in"
    );
    Ok(opened)
}

/// A known device is counted on its own: whatever strangers do to the account or from the same
/// network, its owner gets through.
fn tries(ctx: &Ctx, email: &Email, device: Option<&str>, caller: &Caller) -> Vec<Try> {
    match device {
        Some(device) => vec![BY_DEVICE.on(device)],
        None => vec![
            BY_ACCOUNT.on(&ctx.keys.pseudonym(email.canonical())),
            BY_PLACE.on(&ctx.keys.pseudonym(&caller.place())),
        ],
    }
}

/// Whether the password is the account's. Without an account the same work is done.
async fn prove(
    ctx: &Ctx,
    account: Option<Account>,
    password: Password,
    caller: &Caller,
) -> Result<Option<(UserId, ProvedHash)>, LogInError> {
    let user = account.as_ref().map(|account| account.person.id);
    let stored = account.and_then(|account| account.password_hash);
    let verdict = ctx.hasher.verify(password.clone(), stored.clone()).await?;
    let (Some(user), Some(stored), true) = (user, stored, verdict.is_right) else {
        note_failure(ctx, user, caller);
        return Ok(None);
    };
    let fresh = if verdict.is_outdated { ctx.hasher.hash(password).await? } else { stored.clone() };
    Ok(Some((user, ProvedHash { stored, fresh })))
}

/// Writes the failure into the owner's trail, after the answer: a write that only known addresses
/// cause would tell a stopwatch which addresses are known.
fn note_failure(ctx: &Ctx, user: Option<UserId>, caller: &Caller) {
    let Some(user) = user else {
        tracing::info!(request.id = caller.request_id, "log-in refused: wrong credentials");
        return;
    };
    let id = caller.request_id.as_str();
    tracing::info!(user.id = user.0, request.id = id, "log-in refused: wrong credentials");
    let (ctx, caller) = (ctx.clone(), caller.clone());
    tokio::spawn(async move {
        let event = Event::on(user, Action::LogInFailed, &caller);
        let written: Result<(), DbError> = async {
            let transaction = ctx.db.begin().await?;
            audit::record(&transaction, event, ctx.clock.now()).await?;
            transaction.commit().await
        }
        .await;
        if let Err(error) = written {
            tracing::error!(%error, "a failed log-in could not be noted");
        }
    });
}

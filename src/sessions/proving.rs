//! Proving by password: the one place where a password is compared, whatever for.
//!
//! Logging in, changing the password and confirming a dangerous act count their tries together, so a
//! guesser gains nothing by going to another door. Whatever a stranger can get wrong costs the same
//! work and gets the same answer.

use std::time::Duration;

use thiserror::Error;

use super::devices;
use crate::accounts::{self, Account, ProvedHash};
use crate::audit::{self, Action, Event};
use crate::crypto::{PasswordHash, QueueFull};
use crate::ctx::Ctx;
use crate::db::{DbError, Transaction};
use crate::throttle::{self, Limit, ThrottleError, Try};
use crate::types::{Caller, Email, Password, Person, UserId};

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

/// A password that fits.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The account, as it was when it was looked up. Whether it may be used is not asked yet.
    pub account: Account,
    /// The hash that the password fits; `None` for whoever has no password.
    pub hash: Option<ProvedHash>,
    /// Whether the account was signed in to in this browser before.
    pub is_known_device: bool,
    tries: Vec<Try>,
}

impl Proved {
    /// Gives the try back, for it was honest.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot.
    pub async fn give_back(&self, transaction: &Transaction) -> Result<(), DbError> {
        throttle::give_back(transaction, &self.tries).await
    }

    /// The same where nothing else is written: the password was right, and something else was not.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot.
    pub async fn was_honest(&self, ctx: &Ctx) -> Result<(), DbError> {
        let transaction = ctx.db.begin().await?;
        self.give_back(&transaction).await?;
        transaction.commit().await
    }

    /// Whether the hash, or that there is none, still stands in an account that was read after the proof.
    #[must_use]
    pub fn stands_in(&self, account: &Account) -> bool {
        let stored = account.password_hash.as_ref().map(PasswordHash::as_str);
        let proved = self.hash.as_ref().map(|hash| hash.stored.as_str());
        account.is_active && stored == proved
    }
}

/// Why a password proved nothing.
#[derive(Debug, Error)]
pub enum ProveError {
    /// There is no such account, or the password is not its.
    #[error("wrong credentials")]
    Wrong,
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

impl From<ThrottleError> for ProveError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooSoon(wait) => Self::TooSoon(wait),
            ThrottleError::Broken(error) => Self::Broken(error),
        }
    }
}

/// Compares a password with the account's. The try is counted before, and given back by whoever
/// makes something of the proof.
///
/// # Errors
/// [`ProveError`] says why it proved nothing.
pub async fn prove(
    ctx: &Ctx,
    email: &Email,
    password: Password,
    caller: &Caller,
) -> Result<Proved, ProveError> {
    let device = devices::known(&ctx.keys, email, caller);
    let tries = tries(ctx, email, device, caller);
    throttle::admit(&ctx.db, &tries, ctx.clock.now()).await?;
    let account = accounts::find(&ctx.db, email).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    // Without an account the same work is done.
    let verdict = ctx.hasher.verify(password.clone(), stored.clone()).await?;
    let (Some(account), Some(stored), true) = (account.as_ref(), stored, verdict.is_right) else {
        note_failure(ctx, account.map(|account| account.person.id), caller);
        return Err(ProveError::Wrong);
    };
    let fresh = if verdict.is_outdated { ctx.hasher.hash(password).await? } else { stored.clone() };
    Ok(Proved {
        account: account.clone(),
        hash: Some(ProvedHash { stored, fresh }),
        is_known_device: device.is_some(),
        tries,
    })
}

/// Whoever is signed in proves it by the password; somebody who has none, and comes with `None`, has just
/// been proved in another way, as the caller knows.
///
/// # Errors
/// [`ProveError`] says why it proved nothing; without a password it is [`ProveError::Wrong`] when there is
/// one after all.
pub async fn prove_owner(
    ctx: &Ctx,
    person: &Person,
    password: Option<Password>,
    caller: &Caller,
) -> Result<Proved, ProveError> {
    match password {
        Some(password) => prove(ctx, &person.email, password, caller).await,
        None => without_password(ctx, person.id).await,
    }
}

async fn without_password(ctx: &Ctx, user: UserId) -> Result<Proved, ProveError> {
    let account = accounts::find_by_id(&ctx.db, user).await?;
    let account = account.filter(|account| account.password_hash.is_none());
    let account = account.ok_or(ProveError::Wrong)?;
    Ok(Proved { account, hash: None, is_known_device: true, tries: Vec::new() })
}

/// How long strangers' devices have to wait before the next guess at this address; `None` when they
/// do not.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn waiting(ctx: &Ctx, email: &Email) -> Result<Option<Duration>, DbError> {
    let tries = [BY_ACCOUNT.on(&ctx.keys.pseudonym(email.canonical()))];
    throttle::waiting(&ctx.db, &tries, ctx.clock.now()).await
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

/// Writes the failure into the owner's trail, after the answer: a write that only known addresses
/// cause would tell a stopwatch which addresses are known.
fn note_failure(ctx: &Ctx, user: Option<UserId>, caller: &Caller) {
    let Some(user) = user else {
        tracing::info!(request.id = caller.request_id, "password refused: wrong credentials");
        return;
    };
    let id = caller.request_id.as_str();
    tracing::info!(user.id = user.0, request.id = id, "password refused: wrong credentials");
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

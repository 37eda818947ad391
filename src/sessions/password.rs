//! Proving by password: the one place where a password is compared, whatever for.
//!
//! Logging in, changing the password and confirming a dangerous act count their tries together, so a
//! guesser gains nothing by going to another door. Whatever a stranger can get wrong costs the same
//! work and gets the same answer.

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use super::devices;
use crate::accounts;
use crate::accounts::{Account, HashKindsError, VerifiedHash};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::crypto::{PasswordHash, QueueFull};
use crate::db::{DbError, Transaction};
use crate::throttle;
use crate::throttle::{Attempt, Cap, Limit, ThrottleError};
use crate::types::{Email, Password, RequestInfo, User, UserId};

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
const BY_CLIENT_NETWORK: Limit = Limit {
    name: "login-place",
    free: 100,
    forgets_one_in: Duration::from_secs(30),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(5),
};

/// Guesses with one device cookie: the owner's, or that of a thief who has a copy. What is spent stays
/// spent for this cookie, whose waits alone would allow 159 guesses a day. Every log-in gives the browser
/// a new one. A cookie without guesses left is worth nothing: its holder is a stranger.
const BY_DEVICE: Cap = Cap {
    limit: Limit {
        name: "login-device",
        free: 10,
        forgets_one_in: FORGETS_ONE_IN_A_ROW_IN,
        first_wait: Duration::from_secs(30),
        longest_wait: Duration::from_hours(1),
    },
    at_most: 20,
    resets_on_refund: false,
};

/// Wrong passwords in a row for one account, from wherever. NIST SP 800-63B-4, 3.2.2 allows 100; then
/// the password opens nothing until another one is chosen by a link.
const IN_A_ROW: Cap = Cap { limit: ROW, at_most: 100, resets_on_refund: true };

/// The part of those that strangers have: the rest is left to devices that know the account, so that no
/// stranger can lock its owner out.
const IN_A_ROW_FROM_UNKNOWN_DEVICES: Cap = Cap { at_most: 80, ..IN_A_ROW };

/// Both count on one key. Waiting is the business of the other limits.
const ROW: Limit = Limit {
    name: "login-row",
    free: u32::MAX,
    forgets_one_in: FORGETS_ONE_IN_A_ROW_IN,
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
};

/// Rows of addresses without an account are kept too, or their absence would tell. So a row is forgotten
/// after a month per try without a try: a guesser who waits for that has twelve guesses a year.
const FORGETS_ONE_IN_A_ROW_IN: Duration = Duration::from_hours(30 * 24);

/// A password that fits.
#[derive(Debug, Clone)]
pub struct VerifiedPassword {
    /// The account, as it was when it was looked up. Whether it may be used is not asked yet.
    pub account: Account,
    /// The hash that the password fits; `None` for whoever has no password.
    pub hash: Option<VerifiedHash>,
    /// Whether the account was signed in to in this browser before.
    pub is_known_device: bool,
    attempts: Vec<Attempt>,
}

impl VerifiedPassword {
    /// Gives the try back, for it was honest.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot.
    pub async fn refund_attempt_in(&self, transaction: &Transaction) -> Result<(), DbError> {
        throttle::refund(transaction, &self.attempts).await
    }

    /// The same where nothing else is written: the password was right, and something else was not.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot.
    pub async fn refund_attempt(&self, ctx: &Context) -> Result<(), DbError> {
        let transaction = ctx.db.begin().await?;
        self.refund_attempt_in(&transaction).await?;
        transaction.commit().await
    }

    /// Whether the hash, or that there is none, still stands in an account that was read after the proof.
    #[must_use]
    pub fn still_matches(&self, account: &Account) -> bool {
        account.is_active && self.has_password_of(account)
    }

    fn has_password_of(&self, account: &Account) -> bool {
        let stored = account.password_hash.as_ref().map(PasswordHash::as_str);
        let proved = self.hash.as_ref().map(|hash| hash.stored.as_str());
        stored == proved
    }
}

/// Why an account may not be used, as far as its owner is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// Staff forbade its use, perhaps until an instant.
    Suspended(Option<OffsetDateTime>),
    /// Staff deleted it; until then they can bring it back.
    Deleted(OffsetDateTime),
}

impl Inactive {
    /// Returns why this account may not be used; `None` when it may, also because a suspension is over.
    #[must_use]
    pub fn of(account: &Account, now: OffsetDateTime) -> Option<Self> {
        match (account.is_active, account.deletes_at, account.inactive_until) {
            (true, ..) => None,
            (false, Some(at), _) => Some(Self::Deleted(at)),
            (false, None, Some(until)) if until <= now => None,
            (false, None, until) => Some(Self::Suspended(until)),
        }
    }
}

/// Why a password proved nothing.
#[derive(Debug, Error)]
pub enum AuthError {
    /// There is no such account, or the password is not its.
    #[error("wrong credentials")]
    WrongCredentials,
    /// Too many tries on this account or from there.
    #[error("too many tries")]
    TooSoon(Duration),
    /// Too many wrong passwords in a row: the password opens nothing here until another one is chosen by a
    /// link.
    #[error("too many wrong passwords in a row")]
    Closed,
    /// Too many people at once.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

impl From<HashKindsError> for AuthError {
    fn from(error: HashKindsError) -> Self {
        match error {
            HashKindsError::Busy(full) => Self::Busy(full),
            HashKindsError::Broken(error) => Self::Broken(error),
        }
    }
}

impl From<ThrottleError> for AuthError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooSoon(throttle::CLOSED) => Self::Closed,
            ThrottleError::TooSoon(wait) => Self::TooSoon(wait),
            ThrottleError::Broken(error) => Self::Broken(error),
        }
    }
}

/// Compares a password with the account's. The try is counted before, and given back by whoever
/// makes something of the proof.
///
/// # Errors
/// [`AuthError`] says why it proved nothing.
pub async fn verify_password(
    ctx: &Context,
    email: &Email,
    password: Password,
    info: &RequestInfo,
) -> Result<VerifiedPassword, AuthError> {
    let (attempts, is_known_device) = count_attempt(ctx, email, info).await?;
    let account = accounts::find_by_email(&ctx.db, email).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    // Without an account the same work is done.
    let verdict = ctx.hasher.verify(password.clone(), stored.clone()).await?;
    let (Some(account), Some(stored), true) = (account.as_ref(), stored, verdict.is_right) else {
        // A hash that was imported costs another time than ours: what is missing is made up for.
        let kinds = accounts::hash_kinds(ctx).await?;
        let stored = account.as_ref().and_then(|account| account.password_hash.clone());
        ctx.hasher.round_up(password, stored, kinds).await?;
        record_failure(ctx, account.map(|account| account.user.id), info);
        return Err(AuthError::WrongCredentials);
    };
    let current =
        if verdict.is_outdated { ctx.hasher.hash(password).await? } else { stored.clone() };
    Ok(VerifiedPassword {
        account: account.clone(),
        hash: Some(VerifiedHash { stored, current }),
        is_known_device,
        attempts,
    })
}

/// Returns, for a user who has just given the right password, why the account may not be used; `None` when it
/// may, or has another password by now. The try is given back.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn why_inactive(
    ctx: &Context,
    proved: &VerifiedPassword,
) -> Result<Option<Inactive>, DbError> {
    let account = accounts::find_by_id(&ctx.db, proved.account.user.id).await?;
    let account = account.filter(|account| proved.has_password_of(account));
    let now = ctx.clock.now();
    let inactive = account.as_ref().and_then(|account| Inactive::of(account, now));
    let Some(inactive) = inactive else { return Ok(None) };
    proved.refund_attempt(ctx).await?;
    Ok(Some(inactive))
}

/// Counts a try; also tells whether it counts as one on a device that knows the account. A known device
/// is counted on its own: whatever strangers do to the account or from the same network, its owner gets
/// through.
async fn count_attempt(
    ctx: &Context,
    email: &Email,
    info: &RequestInfo,
) -> Result<(Vec<Attempt>, bool), AuthError> {
    let now = ctx.clock.now();
    if let Some(device) = devices::known_id(&ctx.keys, email, info) {
        let attempts = vec![BY_DEVICE.on(device), IN_A_ROW.on(&pseudonym(ctx, email))];
        match throttle::check_rate_limit(&ctx.db, &attempts, now).await.map_err(AuthError::from) {
            Ok(()) => return Ok((attempts, true)),
            // Nothing is left on the cookie, or on the account, which strangers are told as well.
            Err(AuthError::Closed) => {}
            Err(error) => return Err(error),
        }
    }
    let attempts = unknown_device_attempts(ctx, email, info);
    throttle::check_rate_limit(&ctx.db, &attempts, now).await?;
    Ok((attempts, false))
}

/// Whoever is signed in proves it by the password; somebody who has none, and comes with `None`, has just
/// been proved in another way, as the caller knows.
///
/// # Errors
/// [`AuthError`] says why it proved nothing; without a password it is [`AuthError::WrongCredentials`] when there is
/// one after all.
pub async fn reauthenticate(
    ctx: &Context,
    user: &User,
    password: Option<Password>,
    info: &RequestInfo,
) -> Result<VerifiedPassword, AuthError> {
    match password {
        Some(password) => verify_password(ctx, &user.email, password, info).await,
        None => account_without_password(ctx, user.id).await,
    }
}

async fn account_without_password(
    ctx: &Context,
    user: UserId,
) -> Result<VerifiedPassword, AuthError> {
    let account = accounts::find_by_id(&ctx.db, user).await?;
    let account = account.filter(|account| account.password_hash.is_none());
    let account = account.ok_or(AuthError::WrongCredentials)?;
    Ok(VerifiedPassword { account, hash: None, is_known_device: true, attempts: Vec::new() })
}

/// How long strangers' devices have to wait before the next guess at this address; `None` when they
/// do not, and [`throttle::CLOSED`] when there were too many wrong passwords in a row.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn retry_after(ctx: &Context, email: &Email) -> Result<Option<Duration>, DbError> {
    let pseudonym = pseudonym(ctx, email);
    let attempts = [BY_ACCOUNT.on(&pseudonym), IN_A_ROW_FROM_UNKNOWN_DEVICES.on(&pseudonym)];
    throttle::retry_after(&ctx.db, &attempts, ctx.clock.now()).await
}

/// Ends the row of wrong passwords of an address, for its account has another password.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn reset_failures(
    ctx: &Context,
    transaction: &Transaction,
    email: &Email,
) -> Result<(), DbError> {
    throttle::reset(transaction, &[IN_A_ROW.on(&pseudonym(ctx, email))]).await
}

fn unknown_device_attempts(ctx: &Context, email: &Email, info: &RequestInfo) -> Vec<Attempt> {
    let pseudonym = pseudonym(ctx, email);
    vec![
        BY_ACCOUNT.on(&pseudonym),
        BY_CLIENT_NETWORK.on(&ctx.keys.pseudonym(&info.client_network())),
        IN_A_ROW_FROM_UNKNOWN_DEVICES.on(&pseudonym),
    ]
}

fn pseudonym(ctx: &Context, email: &Email) -> String {
    ctx.keys.pseudonym(email.canonical())
}

/// Writes the failure into the owner's trail, after the answer. For an unknown address the same is written
/// into a place that does not grow: a write that only known addresses cause would show in the time of the
/// next request.
fn record_failure(ctx: &Context, user: Option<UserId>, info: &RequestInfo) {
    let id = info.request_id.as_str();
    match user {
        Some(user) => {
            tracing::info!(
                user.id = user.0,
                request.id = id,
                "password refused: wrong credentials"
            );
        }
        None => tracing::info!(request.id = id, "password refused: wrong credentials"),
    }
    let (ctx, info) = (ctx.clone(), info.clone());
    tokio::spawn(async move {
        let now = ctx.clock.now();
        let written: Result<(), DbError> = async {
            let transaction = ctx.db.begin().await?;
            match user {
                Some(user) => {
                    let event = AuditEvent::on_user(user, AuditEventKind::LoginFailed, &info);
                    audit::record(&transaction, event, now).await?;
                }
                None => {
                    let [any] = ctx.random.bytes::<1>();
                    audit::record_unknown_failure(&transaction, any, &info, now).await?;
                }
            }
            transaction.commit().await
        }
        .await;
        if let Err(error) = written {
            tracing::error!(%error, "a failed log-in could not be noted");
        }
    });
}

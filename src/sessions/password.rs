//! Verifies passwords: the one place where a password is compared, whatever for.
//!
//! Log-in, password change and reauthentication share their rate limits, so a guesser gains nothing
//! by using another form. An unknown address and a wrong password cost the same work and get the
//! same answer.

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

/// Guesses at one account from unknown devices. Ten mistakes are free; at one guess an hour a
/// guesser stays far below the 100 attempts that NIST SP 800-63B-4, 3.2.2 allows.
const BY_ACCOUNT: Limit = Limit {
    name: "login-account",
    free: 10,
    forgets_one_in: Duration::from_hours(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_hours(1),
};

/// Guesses from one client network at any account. A school behind one address makes more mistakes
/// than one user, and must not wait long because of one vandal. The stored name is older than the
/// term.
const BY_CLIENT_NETWORK: Limit = Limit {
    name: "login-place",
    free: 100,
    forgets_one_in: Duration::from_secs(30),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(5),
};

/// Guesses with one device token: the owner's, or that of a thief who has a copy. Attempts are
/// never forgotten while the token is in use, because its waits alone would allow 159 guesses a
/// day. Every log-in issues a new token. A token without attempts left is ignored: its holder is
/// treated as an unknown device.
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

/// Consecutive wrong passwords for one account, from all devices. NIST SP 800-63B-4, 3.2.2 allows
/// 100; after that the password is refused until the user chooses another one by a reset link.
const IN_A_ROW: Cap = Cap { limit: ROW, at_most: 100, resets_on_refund: true };

/// The share of those that unknown devices may use up: the rest is reserved for known devices, so
/// that no stranger can lock the owner out.
const IN_A_ROW_FROM_UNKNOWN_DEVICES: Cap = Cap { at_most: 80, ..IN_A_ROW };

/// Both count on one key. The other limits do the waiting.
const ROW: Limit = Limit {
    name: "login-row",
    free: u32::MAX,
    forgets_one_in: FORGETS_ONE_IN_A_ROW_IN,
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
};

/// Keys of addresses without an account are stored too, or their absence would reveal that. They
/// are forgotten after a month per attempt without a new attempt: a guesser who waits for that has
/// twelve guesses a year.
const FORGETS_ONE_IN_A_ROW_IN: Duration = Duration::from_hours(30 * 24);

/// The proof that a password matches.
#[derive(Debug, Clone)]
pub struct VerifiedPassword {
    /// The account as it was before the comparison. Whether it is active has not been checked.
    pub account: Account,
    /// The hash that the password matches; `None` for users without a password.
    pub hash: Option<VerifiedHash>,
    /// Whether the account was logged in on this device before.
    pub is_known_device: bool,
    attempts: Vec<Attempt>,
}

impl VerifiedPassword {
    /// Refunds the rate-limit attempt in a transaction, because the password was right.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot.
    pub async fn refund_attempt_in(&self, transaction: &Transaction) -> Result<(), DbError> {
        throttle::refund(transaction, &self.attempts).await
    }

    /// Refunds the rate-limit attempt in a transaction of its own: the password was right, and
    /// something else failed.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot.
    pub async fn refund_attempt(&self, ctx: &Context) -> Result<(), DbError> {
        let transaction = ctx.db.begin().await?;
        self.refund_attempt_in(&transaction).await?;
        transaction.commit().await
    }

    /// Returns whether a freshly read account is active and still has the verified password.
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

/// Why an account is inactive, as far as its owner is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// Staff suspended it, perhaps until an instant.
    Suspended(Option<OffsetDateTime>),
    /// Staff deleted it; until this instant they can restore it.
    Deleted(OffsetDateTime),
}

impl Inactive {
    /// Returns why this account is inactive; `None` if it is active, or if its suspension is over.
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

/// Why a password was not verified.
#[derive(Debug, Error)]
pub enum AuthError {
    /// There is no such account, or the password is wrong.
    #[error("wrong credentials")]
    WrongCredentials,
    /// Too many attempts on this account or from this client network.
    #[error("too many attempts")]
    TooSoon(Duration),
    /// Too many consecutive wrong passwords: the password is refused until another one is chosen by
    /// a reset link.
    #[error("too many consecutive wrong passwords")]
    Closed,
    /// The queue for password hashing is full.
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

/// Compares a password with the stored hash. The attempt is counted first; the caller refunds it
/// when it uses the result.
///
/// # Errors
/// [`AuthError`] says why the password was not verified.
pub async fn verify_password(
    ctx: &Context,
    email: &Email,
    password: Password,
    info: &RequestInfo,
) -> Result<VerifiedPassword, AuthError> {
    let (attempts, is_known_device) = count_attempt(ctx, email, info).await?;
    let account = accounts::find_by_email(&ctx.db, email).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    // Without an account, a dummy hash costs the same work.
    let verdict = ctx.hasher.verify(password.clone(), stored.clone()).await?;
    let (Some(account), Some(stored), true) = (account.as_ref(), stored, verdict.is_correct) else {
        // An imported hash takes less time than ours: do the missing work.
        let kinds = accounts::hash_kinds(ctx).await?;
        let stored = account.as_ref().and_then(|account| account.password_hash.clone());
        ctx.hasher.equalize_work(password, stored, kinds).await?;
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

/// Returns why the account is inactive, for a user who has just given the right password; `None` if
/// it is active, or has another password by now. Refunds the attempt.
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

/// Counts an attempt; also returns whether it was counted for a known device. Known devices are
/// counted separately: the owner gets through whatever others do to the account or from the same
/// network.
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
            // The device token or the account has no attempts left: count it as an unknown device.
            Err(AuthError::Closed) => {}
            Err(error) => return Err(error),
        }
    }
    let attempts = unknown_device_attempts(ctx, email, info);
    throttle::check_rate_limit(&ctx.db, &attempts, now).await?;
    Ok((attempts, false))
}

/// Verifies the password of a signed-in user. For a user without a password (`None`), the caller
/// has checked another proof.
///
/// # Errors
/// [`AuthError`] says why it failed; without a password it is [`AuthError::WrongCredentials`] if
/// the account has one after all.
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

/// Returns how long unknown devices must wait before the next attempt at this address; `None` if
/// they need not, and [`throttle::CLOSED`] after too many consecutive wrong passwords.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn retry_after(ctx: &Context, email: &Email) -> Result<Option<Duration>, DbError> {
    let pseudonym = pseudonym(ctx, email);
    let attempts = [BY_ACCOUNT.on(&pseudonym), IN_A_ROW_FROM_UNKNOWN_DEVICES.on(&pseudonym)];
    throttle::retry_after(&ctx.db, &attempts, ctx.clock.now()).await
}

/// Resets the count of consecutive wrong passwords, because the account has another password.
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

/// Records the failure in the user's audit log, after the response. For an unknown address the same
/// is written into a row that does not grow: a write for known addresses only would be measurable
/// in the time of the next request.
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
            tracing::error!(%error, "a failed log-in could not be recorded");
        }
    });
}

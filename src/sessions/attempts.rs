//! Counts attempts to log in or to reauthenticate, by account, client network and device.
//!
//! The limits of all forms that compare a password are here; the counting itself is in `throttle`.

use std::time::Duration;

use thiserror::Error;

use super::devices;
use crate::accounts::HashKindsError;
use crate::context::Context;
use crate::crypto::QueueFull;
use crate::db::{DbError, Transaction};
use crate::throttle;
use crate::throttle::{Attempt, Cap, Limit, ThrottleError};
use crate::types::{Email, RequestInfo};

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
/// than one user, and must not wait long because of one vandal.
const BY_CLIENT_NETWORK: Limit = Limit {
    // The stored name is older than the term.
    name: "login-place",
    free: 100,
    forgets_one_in: Duration::from_secs(30),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(5),
};

/// Guesses with one device token: the owner's, or that of a thief who has a copy. Its waits alone
/// would allow 159 guesses a day, so there is a limit for its whole life; every log-in issues a new
/// token.
const BY_DEVICE: Cap = Cap {
    limit: Limit {
        name: "login-device",
        free: 10,
        forgets_one_in: FORGETS_ONE_IN_A_ROW_IN,
        first_wait: Duration::from_secs(30),
        longest_wait: Duration::from_hours(1),
    },
    at_most: 20,
    // A success of the owner must not give a thief's copy new attempts.
    resets_on_refund: false,
};

/// Consecutive wrong passwords for one account, from all devices. NIST SP 800-63B-4, 3.2.2 allows
/// 100; after that the password is refused until the user chooses another one by a reset link.
const IN_A_ROW: Cap = Cap { limit: ROW, at_most: 100, resets_on_refund: true };

/// The share of those that unknown devices may use up: the rest is reserved for known devices, so
/// that no stranger can lock the owner out.
const IN_A_ROW_FROM_UNKNOWN_DEVICES: Cap = Cap { at_most: 80, ..IN_A_ROW };

/// Both caps count on one key.
const ROW: Limit = Limit {
    name: "login-row",
    // No waiting of its own: the other limits do that.
    free: u32::MAX,
    forgets_one_in: FORGETS_ONE_IN_A_ROW_IN,
    first_wait: Duration::ZERO,
    longest_wait: Duration::ZERO,
};

/// Keys of addresses without an account are stored too, or their absence would reveal that. They
/// are forgotten after a month per attempt without a new attempt: a guesser who waits for that has
/// twelve guesses a year.
const FORGETS_ONE_IN_A_ROW_IN: Duration = Duration::from_hours(30 * 24);

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
    Database(#[from] DbError),
}

impl From<HashKindsError> for AuthError {
    fn from(error: HashKindsError) -> Self {
        match error {
            HashKindsError::Busy(full) => Self::Busy(full),
            HashKindsError::Database(error) => Self::Database(error),
        }
    }
}

impl From<ThrottleError> for AuthError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooSoon(throttle::CLOSED) => Self::Closed,
            ThrottleError::TooSoon(wait) => Self::TooSoon(wait),
            ThrottleError::Database(error) => Self::Database(error),
        }
    }
}

/// Counts an attempt; also returns whether it was counted for a known device.
pub(super) async fn count_attempt(
    ctx: &Context,
    email: &Email,
    info: &RequestInfo,
) -> Result<(Vec<Attempt>, bool), AuthError> {
    let now = ctx.clock.now();
    // Counted separately: the owner gets through whatever others do to the account or from the
    // network.
    if let Some(device) = devices::known_id(&ctx.keys, email, info) {
        let attempts = vec![BY_DEVICE.on(device), IN_A_ROW.on(&pseudonym(ctx, email))];
        match throttle::check_rate_limit(&ctx.db, &attempts, now).await.map_err(AuthError::from) {
            Ok(()) => return Ok((attempts, true)),
            // The device token or the account has no attempts left. Refusing it would treat the
            // owner worse than a stranger, so it counts as an unknown device.
            Err(AuthError::Closed) => {}
            Err(error) => return Err(error),
        }
    }
    let attempts = unknown_device_attempts(ctx, email, info);
    throttle::check_rate_limit(&ctx.db, &attempts, now).await?;
    Ok((attempts, false))
}

/// Returns how long unknown devices must wait before the next attempt at this address; `None` if
/// they need not, and [`throttle::CLOSED`] after too many consecutive wrong passwords.
pub async fn retry_after(ctx: &Context, email: &Email) -> Result<Option<Duration>, DbError> {
    let pseudonym = pseudonym(ctx, email);
    let attempts = [BY_ACCOUNT.on(&pseudonym), IN_A_ROW_FROM_UNKNOWN_DEVICES.on(&pseudonym)];
    throttle::retry_after(&ctx.db, &attempts, ctx.clock.now()).await
}

/// Resets the count of consecutive wrong passwords, because the account has another password.
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
        // A pseudonym, so that a stolen database reveals no addresses.
        BY_CLIENT_NETWORK.on(&ctx.keys.pseudonym(&info.client_network())),
        IN_A_ROW_FROM_UNKNOWN_DEVICES.on(&pseudonym),
    ]
}

fn pseudonym(ctx: &Context, email: &Email) -> String {
    ctx.keys.pseudonym(email.canonical())
}

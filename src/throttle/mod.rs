//! Rate limits, counted in the database, so that all nodes count together and a restart forgets
//! nothing.
//!
//! Each key has a level that rises by one with every attempt and sinks steadily with time. Above a free
//! allowance the next attempt must wait, twice as long each time up to a bound. An attempt is counted
//! before it is made, and refunded if it succeeds (docs/decisions/0004). The callers decide what is
//! counted.

mod store;

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

pub use store::{reset, sweep};

use crate::db::{Db, DbError, Transaction};

/// How many attempts are free, and how long the others wait.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// What it limits; part of the stored key.
    pub name: &'static str,
    /// Attempts that never wait.
    pub free: u32,
    /// How long it takes to forget one attempt.
    pub forgets_one_in: Duration,
    /// The wait after the first attempt that was not free; it doubles from there.
    pub first_wait: Duration,
    /// The longest wait.
    pub longest_wait: Duration,
}

impl Limit {
    /// Returns an attempt on `subject`, which should be a pseudonym if it is personal.
    #[must_use]
    pub fn on(&'static self, subject: &str) -> Attempt {
        Attempt { limit: self, cap: None, key: format!("{}:{subject}", self.name) }
    }
}

/// A limit on consecutive attempts: unlike a [`Limit`] alone it does not reopen with time.
#[derive(Debug, Clone, Copy)]
pub struct Cap {
    /// Its name, and the waits before the cap is reached. The level does not sink: it is forgotten
    /// as a whole when `forgets_one_in` has passed for each attempt without another one.
    pub limit: Limit,
    /// How many consecutive attempts are allowed. All further ones are refused until one is
    /// refunded.
    pub at_most: u32,
    /// Whether a refund resets the count.
    pub resets_on_refund: bool,
}

impl Cap {
    /// Returns an attempt on `subject`, which should be a pseudonym if it is personal.
    #[must_use]
    pub fn on(&'static self, subject: &str) -> Attempt {
        Attempt { cap: Some(self), ..self.limit.on(subject) }
    }
}

/// The wait that is reported if waiting does not help: a day, so that programs come back seldom.
pub const CLOSED: Duration = Duration::from_hours(24);

/// One attempt on one key.
#[derive(Debug, Clone)]
pub struct Attempt {
    limit: &'static Limit,
    cap: Option<&'static Cap>,
    key: String,
}

/// Why an attempt was refused.
#[derive(Debug, Error)]
pub enum ThrottleError {
    /// Too many attempts; the next is allowed after this long.
    #[error("too many attempts")]
    TooSoon(Duration),
    /// The database could not count.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Counts an attempt on every key; if one of them must wait, counts none.
///
/// # Errors
/// [`ThrottleError::TooSoon`] when a key must wait; with [`CLOSED`] when a [`Cap`] is reached.
pub async fn check_rate_limit(
    db: &Db,
    attempts: &[Attempt],
    now: OffsetDateTime,
) -> Result<(), ThrottleError> {
    // A transaction of its own: the count stays also when the attempt fails and is rolled back.
    if store::count(db, attempts, now).await? == attempts.len() {
        return Ok(());
    }
    let wait = retry_after(db, attempts, now).await?.unwrap_or_default();
    // At least a second, also when the key has reopened since.
    Err(ThrottleError::TooSoon(wait.max(Duration::from_secs(1))))
}

/// Returns how long the next attempt would have to wait, without counting one; `None` if it would
/// be allowed now, and [`CLOSED`] if a [`Cap`] is reached.
pub async fn retry_after(
    db: &Db,
    attempts: &[Attempt],
    now: OffsetDateTime,
) -> Result<Option<Duration>, DbError> {
    if attempts.iter().any(|each| each.cap.is_some()) && store::is_closed(db, attempts).await? {
        return Ok(Some(CLOSED));
    }
    let open_at = store::find_open_at(db, attempts).await?;
    let wait = open_at.and_then(|open_at| Duration::try_from(open_at - now).ok());
    Ok(wait.filter(|wait| !wait.is_zero()))
}

/// Refunds a successful attempt.
pub async fn refund(transaction: &Transaction, attempts: &[Attempt]) -> Result<(), DbError> {
    if attempts.is_empty() {
        return Ok(());
    }
    store::refund(transaction, attempts).await
}

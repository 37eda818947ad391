//! Counting tries, in the database, so that all nodes count together and a restart forgets nothing.
//!
//! Each key has a level that rises by one with every try and sinks smoothly with time. Above a free
//! allowance the next try has to wait, twice as long each time up to a bound. A try is counted
//! before it is made, by one conditional statement, so parallel tries cannot slip through together;
//! a try that turned out well is given back, and nothing is ever deleted to make room for more.
//! Who or what is counted is the flows' business.

mod store;

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use crate::db::{Db, DbError, Transaction};

/// How many tries are free, and what happens then.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The story it belongs to; part of the key.
    pub name: &'static str,
    /// Tries that never wait.
    pub free: u32,
    /// One try is forgotten in this time.
    pub forgets_one_in: Duration,
    /// The wait after the first try that was not free; it doubles from there.
    pub first_wait: Duration,
    /// No wait is longer.
    pub longest_wait: Duration,
}

impl Limit {
    /// A try on `subject`, which should be a pseudonym where it is personal.
    #[must_use]
    pub fn on(&'static self, subject: &str) -> Attempt {
        Attempt { limit: self, cap: None, key: format!("{}:{subject}", self.name) }
    }
}

/// A limit on tries in a row: unlike a [`Limit`] alone it does not reopen with time.
#[derive(Debug, Clone, Copy)]
pub struct Cap {
    /// Its name, and the waits before it is reached. The level does not sink while tries are made: it is
    /// forgotten at once, when `forgets_one_in` has passed for each try and there was no other.
    pub limit: Limit,
    /// Tries in a row. All further ones are refused until one is given back.
    pub at_most: u32,
    /// Whether a try that is given back ends the row, so that the next try is the first of another one.
    pub resets_on_refund: bool,
}

impl Cap {
    /// A try on `subject`, which should be a pseudonym where it is personal.
    #[must_use]
    pub fn on(&'static self, subject: &str) -> Attempt {
        Attempt { cap: Some(self), ..self.limit.on(subject) }
    }
}

/// What a caller is told to wait where waiting does not help: a day, so that programs come back seldom.
pub const CLOSED: Duration = Duration::from_hours(24);

/// One try on one key.
#[derive(Debug, Clone)]
pub struct Attempt {
    limit: &'static Limit,
    cap: Option<&'static Cap>,
    key: String,
}

/// A try that was not admitted.
#[derive(Debug, Error)]
pub enum ThrottleError {
    /// Too many tries; the next is welcome after this long.
    #[error("too many tries")]
    TooSoon(Duration),
    /// The database could not count.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Counts a try on every key, or, when one of them must wait, on none.
///
/// The count is a statement and a transaction of its own: it stands whatever becomes of the try.
///
/// # Errors
/// [`ThrottleError::TooSoon`] when a key must wait; for [`CLOSED`] when a [`Cap`] is reached.
pub async fn check_rate_limit(
    db: &Db,
    attempts: &[Attempt],
    now: OffsetDateTime,
) -> Result<(), ThrottleError> {
    if store::count(db, attempts, now).await? == attempts.len() {
        return Ok(());
    }
    let wait = retry_after(db, attempts, now).await?.unwrap_or_default();
    Err(ThrottleError::TooSoon(wait.max(Duration::from_secs(1))))
}

/// Ends the rows of tries on these keys, for whatever the tries were about has changed.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn reset(transaction: &Transaction, attempts: &[Attempt]) -> Result<(), DbError> {
    store::reset(transaction, attempts).await
}

/// How long the next try on any of these would have to wait, without making one; `None` when it would
/// be welcome at once, and [`CLOSED`] when a [`Cap`] is reached.
///
/// # Errors
/// [`DbError`] when the database cannot.
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

/// Gives a try back that turned out to be honest.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn refund(transaction: &Transaction, attempts: &[Attempt]) -> Result<(), DbError> {
    if attempts.is_empty() {
        return Ok(());
    }
    store::refund(transaction, attempts).await
}

/// Deletes up to `at_most` keys on which everything is forgotten; tells how many.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u32,
) -> Result<u64, DbError> {
    store::delete_forgotten(transaction, now, at_most).await
}

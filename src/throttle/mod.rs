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
    pub fn on(&'static self, subject: &str) -> Try {
        Try { limit: self, key: format!("{}:{subject}", self.name) }
    }
}

/// One try on one key.
#[derive(Debug, Clone)]
pub struct Try {
    limit: &'static Limit,
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
/// [`ThrottleError::TooSoon`] when a key must wait.
pub async fn admit(db: &Db, tries: &[Try], now: OffsetDateTime) -> Result<(), ThrottleError> {
    if store::count(db, tries, now).await? == tries.len() {
        return Ok(());
    }
    let open_at = store::find_open_at(db, tries).await?.unwrap_or(now);
    let wait = Duration::try_from(open_at - now).unwrap_or_default();
    Err(ThrottleError::TooSoon(wait.max(Duration::from_secs(1))))
}

/// How long the next try on any of these would have to wait, without making one; `None` when it would
/// be welcome at once.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn waiting(
    db: &Db,
    tries: &[Try],
    now: OffsetDateTime,
) -> Result<Option<Duration>, DbError> {
    let open_at = store::find_open_at(db, tries).await?;
    let wait = open_at.and_then(|open_at| Duration::try_from(open_at - now).ok());
    Ok(wait.filter(|wait| !wait.is_zero()))
}

/// Gives a try back that turned out to be honest.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn give_back(transaction: &Transaction, tries: &[Try]) -> Result<(), DbError> {
    if tries.is_empty() {
        return Ok(());
    }
    store::give_back(transaction, tries).await
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

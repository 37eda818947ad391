//! Links that work once: who holds the token may do one thing, one time, until it expires.
//!
//! Only the token's hash is kept. Consuming is one conditional statement, so of any number of
//! parallel tries one wins. What the one thing is, the flows know.

mod store;

use std::time::Duration;

use time::OffsetDateTime;

use crate::crypto::hash_secret;
use crate::db::{Db, DbError, Transaction};
use crate::types::Secret;

/// What a link is for; a link opens nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Making the first superuser.
    Setup,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
        }
    }
}

/// Keeps a link of nobody in particular.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn keep(
    transaction: &Transaction,
    token: &Secret,
    purpose: Purpose,
    lasts: Duration,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::insert(transaction, &hash_secret(token), purpose.as_str(), now, now + lasts).await
}

/// Whether a link would work. Only a look: it is still good afterwards.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn is_good(
    db: &Db,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::exists_unused(db, &hash_secret(token), purpose.as_str(), now).await
}

/// Uses up every link of a purpose, if `token` is one of them that is good; `false` changes nothing.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn consume_all(
    transaction: &Transaction,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let used = store::update_used(transaction, purpose.as_str(), now).await?;
    Ok(used.iter().any(|hash| hash == hash_secret(token).as_str()))
}

/// Deletes up to `at_most` links that are over; tells how many.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_over(transaction, now, at_most).await
}

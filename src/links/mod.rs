//! One-time links: each does one thing, once, until it expires.
//!
//! Only the hash of the token is stored. Does not know what a link does; the use cases do. To revoke
//! several links of a user, hold the lock on the account (`accounts::lock`), so that two such calls run
//! one after the other.

mod purpose;
mod store;

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

pub use store::{list_pending, revoke, sweep};

pub use self::purpose::Purpose;
use crate::context::Context;
use crate::crypto::hash_secret;
use crate::db::{Db, DbError, Transaction};
use crate::types::{Email, Secret, UserId};

/// A valid link.
#[derive(Debug, Clone)]
pub struct Link {
    /// What it is for.
    pub purpose: Purpose,
    pub user: UserId,
    /// The e-mail address it is about, if its purpose has one.
    pub email: Option<Email>,
    pub created_at: OffsetDateTime,
}

/// A link that may be used or expired.
#[derive(Debug, Clone)]
pub struct PastLink {
    /// What it was for.
    pub purpose: Purpose,
    /// Its user, if it had one.
    pub user: Option<UserId>,
    /// The e-mail address it was about, if its purpose has one.
    pub email: Option<Email>,
}

/// A valid link, as shown to its user.
#[derive(Debug, Clone)]
pub struct PendingLink {
    /// The stored name of the purpose.
    pub purpose: String,
    /// The e-mail address it is about, if its purpose has one.
    pub email: Option<String>,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Why a link did nothing.
#[derive(Debug, Error)]
pub enum LinkError {
    /// It is used, expired, revoked, or never existed; the holder does not learn which.
    #[error("the link is not valid")]
    Invalid,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Stores a link without a user.
pub async fn insert(
    transaction: &Transaction,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let link = (hash_secret(token), purpose, purpose.lifetime());
    store::insert(transaction, [link], None, None, now).await
}

/// Creates a link for a user, about an e-mail address if its purpose has one.
pub async fn create(
    ctx: &Context,
    transaction: &Transaction,
    purpose: Purpose,
    user: UserId,
    email: Option<&Email>,
) -> Result<Secret, DbError> {
    let [token] = create_each(ctx, transaction, [purpose], user, email).await?;
    Ok(token)
}

/// Creates a link with a lifetime of its own.
pub async fn create_with_lifetime(
    ctx: &Context,
    transaction: &Transaction,
    purpose: Purpose,
    user: UserId,
    email: Option<&Email>,
    lifetime: Duration,
) -> Result<Secret, DbError> {
    let token = ctx.random.secret();
    let link = (hash_secret(&token), purpose, lifetime);
    store::insert(transaction, [link], Some(user), email, ctx.clock.now()).await?;
    Ok(token)
}

/// Creates a link of each purpose in one statement.
pub async fn create_each<const N: usize>(
    ctx: &Context,
    transaction: &Transaction,
    purposes: [Purpose; N],
    user: UserId,
    email: Option<&Email>,
) -> Result<[Secret; N], DbError> {
    let tokens = purposes.map(|_| ctx.random.secret());
    let links = tokens.iter().zip(purposes);
    let links = links.map(|(token, purpose)| (hash_secret(token), purpose, purpose.lifetime()));
    store::insert(transaction, links, Some(user), email, ctx.clock.now()).await?;
    Ok(tokens)
}

/// Returns whether a link without a user is valid; does not use it.
pub async fn is_valid(
    db: &Db,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let row = store::find_unused(db, &hash_secret(token), now).await?;
    Ok(row.is_some_and(|row| row.purpose == purpose.as_str()))
}

/// Returns a user's link if it is valid; does not use it.
pub async fn find(db: &Db, token: &Secret, now: OffsetDateTime) -> Result<Option<Link>, DbError> {
    // An empty token needs no query.
    if token.expose().is_empty() {
        return Ok(None);
    }
    let row = store::find_unused(db, &hash_secret(token), now).await?;
    Ok(row.and_then(|row| {
        Some(Link {
            purpose: Purpose::from_stored(&row.purpose)?,
            user: UserId(row.user_id?),
            email: row.email.as_deref().and_then(|email| Email::from_stored(email).ok()),
            created_at: crate::clock::from_micros(row.created_at),
        })
    }))
}

/// Returns what a link was created for, even if it is used or expired; its holder may know.
pub async fn find_past(db: &Db, token: &Secret) -> Result<Option<PastLink>, DbError> {
    if token.expose().is_empty() {
        return Ok(None);
    }
    let row = store::find(db, &hash_secret(token)).await?;
    Ok(row.and_then(|row| {
        Some(PastLink {
            purpose: Purpose::from_stored(&row.purpose)?,
            user: row.user_id.map(UserId),
            email: row.email.as_deref().and_then(|email| Email::parse(email).ok()),
        })
    }))
}

/// Uses a link; returns `false`, and changes nothing, if it is not valid.
pub async fn consume(
    transaction: &Transaction,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    // One conditional statement, so of several uses at once one wins.
    store::update_used(transaction, &hash_secret(token), purpose, now).await
}

/// Uses every link of a purpose and returns whether `token` was a valid one of them; if it was not, do
/// not commit the transaction.
pub async fn consume_all(
    transaction: &Transaction,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let used = store::update_all_used(transaction, purpose, now).await?;
    Ok(used.iter().any(|hash| hash == hash_secret(token).as_str()))
}

/// Returns whether another user may still take this address back, so that it is not free.
pub async fn is_reserved(
    transaction: &Transaction,
    email: &Email,
    except: Option<UserId>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::exists_for(transaction, email, Purpose::UndoEmailChange, except, now).await
}

//! Links that work once: who holds the token may do one thing, one time, until it expires.
//!
//! Only the token's hash is kept. Consuming is one conditional statement, so of any number of
//! parallel tries one wins. What the one thing is, the flows know. Whoever ends several links of a
//! person holds the lock on the account (`accounts::lock`), so that two of them take turns.

mod store;

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use crate::crypto::{Random, hash_secret};
use crate::db::{Db, DbError, Transaction};
use crate::types::{Email, Secret, UserId};

/// What a link is for; a link opens nothing else. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Making the first superuser.
    Setup,
    /// Proving the address of an account.
    VerifyEmail,
    /// Choosing a new password without the old one.
    ResetPassword,
    /// Moving an account to the address that the link was sent to.
    ChangeEmail,
    /// Moving an account back to the address that it had.
    UndoEmailChange,
    /// "This wasn't me": ending every session and locking the password.
    NotMe,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 6] = [
        Self::Setup,
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ChangeEmail,
        Self::UndoEmailChange,
        Self::NotMe,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::UndoEmailChange => "undo_email_change",
            Self::NotMe => "not_me",
        }
    }

    fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// How long a link works. What opens an account is short-lived; what protects one gives its owner
    /// time to read their mail.
    #[must_use]
    pub fn lifetime(self) -> Duration {
        match self {
            Self::ResetPassword => Duration::from_hours(1),
            // Long enough to finish a coffee, short enough to be gone from the terminal's memory.
            Self::Setup | Self::ChangeEmail => Duration::from_hours(24),
            Self::VerifyEmail => Duration::from_hours(3 * 24),
            Self::UndoEmailChange | Self::NotMe => Duration::from_hours(7 * 24),
        }
    }
}

/// A link that would work.
#[derive(Debug, Clone)]
pub struct Link {
    /// What it is for.
    pub purpose: Purpose,
    /// Whose account it is about.
    pub user: UserId,
    /// The address it is about, for the purposes that are about one.
    pub email: Option<Email>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// A link that may not work any more.
#[derive(Debug, Clone)]
pub struct PastLink {
    /// What it was for.
    pub purpose: Purpose,
    /// Whose account it was about, if there was one.
    pub user: Option<UserId>,
    /// The address it was about, for the purposes that are about one.
    pub email: Option<Email>,
}

/// A link that is under way, as far as its owner may see it.
#[derive(Debug, Clone)]
pub struct PendingLink {
    /// The stored name of the purpose.
    pub purpose: String,
    /// The address it is about, for the purposes that are about one.
    pub email: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it stops working.
    pub expires_at: OffsetDateTime,
}

/// Why following a link did nothing.
#[derive(Debug, Error)]
pub enum LinkError {
    /// It is used, too old, overtaken by a later change, or never was one: nobody learns which.
    #[error("the link does not work")]
    Invalid,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Keeps a link of nobody in particular.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn insert(
    transaction: &Transaction,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let link = (hash_secret(token), purpose, purpose.lifetime());
    store::insert(transaction, [link], (None, None), now).await
}

/// Makes a link for a person, about an address where the purpose needs one, and keeps it.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn create(
    transaction: &Transaction,
    random: Random,
    purpose: Purpose,
    (user, email): (UserId, Option<&Email>),
    now: OffsetDateTime,
) -> Result<Secret, DbError> {
    let [token] = create_each(transaction, random, [purpose], (user, email), now).await?;
    Ok(token)
}

/// The same for a link that works for another time than its purpose has.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn create_with_lifetime(
    transaction: &Transaction,
    random: Random,
    purpose: Purpose,
    (user, email): (UserId, Option<&Email>),
    (now, lifetime): (OffsetDateTime, Duration),
) -> Result<Secret, DbError> {
    let token = random.secret();
    let link = (hash_secret(&token), purpose, lifetime);
    store::insert(transaction, [link], (Some(user), email), now).await?;
    Ok(token)
}

/// Makes a link of each purpose, as [`create`] does, in one statement.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn create_each<const N: usize>(
    transaction: &Transaction,
    random: Random,
    purposes: [Purpose; N],
    (user, email): (UserId, Option<&Email>),
    now: OffsetDateTime,
) -> Result<[Secret; N], DbError> {
    let tokens = purposes.map(|_| random.secret());
    let links = tokens.iter().zip(purposes);
    let links = links.map(|(token, purpose)| (hash_secret(token), purpose, purpose.lifetime()));
    store::insert(transaction, links, (Some(user), email), now).await?;
    Ok(tokens)
}

/// Whether a link of nobody in particular would work. Only a look: it is still good afterwards.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn is_valid(
    db: &Db,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let row = store::find_unused(db, &hash_secret(token), now).await?;
    Ok(row.is_some_and(|row| row.purpose == purpose.as_str()))
}

/// A person's link, if it would work. Only a look: it is still good afterwards.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(db: &Db, token: &Secret, now: OffsetDateTime) -> Result<Option<Link>, DbError> {
    // Whoever brings none costs nothing.
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

/// Returns what a link was made for, also when it is used up or too old; its holder may know.
///
/// # Errors
/// [`DbError`] when the database cannot.
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

/// A person's links that would work, with their purposes' names and when they expire; the newest
/// first, at most `at_most`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_pending(
    db: &Db,
    user: UserId,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<PendingLink>, DbError> {
    store::list_pending(db, user, now, at_most).await
}

/// Uses a link up; `false` means that it did not work, and changes nothing. The one statement that
/// decides.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn consume(
    transaction: &Transaction,
    token: &Secret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_used(transaction, &hash_secret(token), purpose, now).await
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
    let used = store::update_all_used(transaction, purpose, now).await?;
    Ok(used.iter().any(|hash| hash == hash_secret(token).as_str()))
}

/// Ends a person's links of these purposes that were made at `since` or later; the account is locked.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn revoke(
    transaction: &Transaction,
    user: UserId,
    purposes: &[Purpose],
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_revoked(transaction, user, purposes, since, now).await
}

/// Whether an address may still be given back to somebody else: then nobody may take it.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn is_reserved(
    transaction: &Transaction,
    email: &Email,
    except: Option<UserId>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::exists_for(transaction, email, Purpose::UndoEmailChange, except, now).await
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
    store::delete_expired(transaction, now, at_most).await
}

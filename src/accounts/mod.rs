//! The accounts: who there is, how they prove themselves by password, and what they may do.
//!
//! Knows no sessions: what becomes of them when an account changes is a flow's business.

mod password_policy;
pub(crate) mod store;

use thiserror::Error;
use time::OffsetDateTime;

use password_policy::weaknesses;
pub use password_policy::{OwnData, Trait, Weakness};

use crate::crypto::{PasswordHash, QueueFull};
use crate::ctx::Ctx;
use crate::db::{Db, DbError, Transaction};
use crate::types::{BirthDate, Email, Gender, Name, Password, Person, UserId};

/// An account, with what must not leave the house.
#[derive(Debug, Clone)]
pub struct Account {
    /// What may be shown.
    pub person: Person,
    /// How the person proves to be it; `None` when not by password.
    pub password_hash: Option<PasswordHash>,
    /// Whether the account may be used.
    pub is_active: bool,
}

/// What a new account starts with.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The address.
    pub email: Email,
    /// The hashed password.
    pub password_hash: PasswordHash,
    /// The name, may be empty.
    pub name: Name,
    /// The gender, where given.
    pub gender: Option<Gender>,
    /// The date of birth, where given.
    pub date_of_birth: Option<BirthDate>,
    /// Whether the account may do everything.
    pub is_superuser: bool,
}

/// Makes an account. The database decides whether the address is free: `None` means it is not.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn open(
    transaction: &Transaction,
    account: NewAccount,
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    store::insert(transaction, account, now).await
}

/// The account of an address.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(db: &Db, email: &Email) -> Result<Option<Account>, DbError> {
    store::find_by_email(db, email).await
}

/// Whether there is anybody who may do everything and whose account may be used.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn has_superuser(transaction: &Transaction) -> Result<bool, DbError> {
    store::has_superuser(transaction.connection()).await
}

/// The same question outside of a transaction.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn is_there_a_superuser(db: &Db) -> Result<bool, DbError> {
    store::has_superuser(db.reader()).await
}

/// A hash that a password was found to fit, and the hash that is to stand from now on: the same, or
/// a dearer one when costs have risen.
#[derive(Debug, Clone)]
pub struct ProvedHash {
    /// The hash that was compared.
    pub stored: PasswordHash,
    /// The hash that takes its place.
    pub fresh: PasswordHash,
}

/// Lets a person in, if the account is active at this very moment and the hash that was proved, if
/// one was, still stands; notes the time. `false` means that it is not so. The row stays locked until
/// the transaction ends, so nobody can be deactivated between this answer and the session that
/// follows from it.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn admit(
    transaction: &Transaction,
    id: UserId,
    proved: Option<&ProvedHash>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_last_login(transaction, id, proved, now).await
}

/// Gives an account another password; `false` means that there is no such account.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn set_password(
    transaction: &Transaction,
    id: UserId,
    hash: &PasswordHash,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_password(transaction, id, hash, now).await
}

/// Why a new password was not taken.
#[derive(Debug, Error)]
pub enum NewPasswordError {
    /// It is too weak, for all these reasons.
    #[error("the password is too weak")]
    Weak(Vec<Weakness>),
    /// Too many are waiting for a hash.
    #[error(transparent)]
    Busy(#[from] QueueFull),
}

/// Everything that is wrong with a new password, or nothing.
///
/// # Errors
/// [`QueueFull`] when too many are waiting.
pub async fn weigh_password(
    ctx: &Ctx,
    password: &Password,
    own: OwnData,
) -> Result<Vec<Weakness>, QueueFull> {
    let (password, min_length) = (password.clone(), ctx.settings.password_min_length);
    ctx.hasher.weigh(move || weaknesses(&password, &own, min_length)).await
}

/// Weighs a new password and hashes it.
///
/// # Errors
/// [`NewPasswordError`] says why it was not taken.
pub async fn hash_new_password(
    ctx: &Ctx,
    password: Password,
    own: OwnData,
) -> Result<PasswordHash, NewPasswordError> {
    let found = weigh_password(ctx, &password, own).await?;
    if !found.is_empty() {
        return Err(NewPasswordError::Weak(found));
    }
    Ok(ctx.hasher.hash(password).await?)
}

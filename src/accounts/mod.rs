//! Accounts: who the users are, how strong their passwords must be, and whether they may be used.
//!
//! Knows no sessions: what happens to them when an account changes is up to the use cases.

mod account;
mod email_verification;
mod hash_kinds;
mod lifecycle;
mod password_policy;
pub mod search;
mod similarity;
pub(crate) mod store;
mod strength;
mod word_lists;

use thiserror::Error;
use time::OffsetDateTime;

pub use account::{Account, AccountUpdate, NewAccount, VerifiedHash};
pub use email_verification::{
    count_verification_email, notify_existing_owner, send_verification_email,
};
pub use hash_kinds::{HashKindsError, hash_kinds};
pub use lifecycle::{
    AccountSnapshot, Deactivation, activate, deactivate, delete, end_suspension,
    list_due_for_deletion, list_suspended_until, lock_superusers, record_deletion_cancelled,
    restore, schedule_deletion,
};
pub use password_policy::{MAX_LENGTH as MAX_PASSWORD, UserAttribute, UserAttributes, Weakness};
use password_policy::{find_weaknesses, site_words};
pub use store::{
    count, find_by_email, find_by_id, find_last, has_superuser, list_by_ids, list_emails,
    list_taken, lock, set_profile, update,
};

use crate::context::Context;
use crate::crypto::{PasswordHash, QueueFull};
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::types::{Email, Password, UserId};

/// Creates an account. Returns `None` when the address has an account, or when a former owner can
/// still take it back; do not commit the transaction then.
pub async fn create(
    transaction: &Transaction,
    account: NewAccount,
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let email = account.email.clone();
    let id = store::insert(transaction, account, now).await?;
    // After the insert, which waits for a transaction that is moving an account away from the
    // address: asked before, the reservation that it makes would not be seen.
    if id.is_some() && links::is_reserved(transaction, &email, None, now).await? {
        return Ok(None);
    }
    Ok(id)
}

/// Records a log-in and cancels a pending deletion, if the account is active, its address is
/// verified where that is required, and the verified hash, if there is one, is still stored.
/// Returns `false` otherwise. The row stays locked until the transaction ends, so the account
/// cannot be deactivated before the session is created.
pub async fn record_login(
    transaction: &Transaction,
    id: UserId,
    verified: Option<&VerifiedHash>,
    must_be_verified: bool,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    if store::update_last_login(transaction, id, verified, must_be_verified, now).await? {
        return Ok(true);
    }
    // Only now, because hardly any log-in ends a suspension: the usual one takes a single
    // statement.
    Ok(end_suspension(transaction, id, now).await?
        && store::update_last_login(transaction, id, verified, must_be_verified, now).await?)
}

/// Purposes of links that were sent earlier and would let an attacker in after a change.
const OUTSTANDING: [Purpose; 2] = [Purpose::ResetPassword, Purpose::ChangeEmail];

/// Replaces or removes the password of a locked account, and revokes the links that could undo
/// that.
pub async fn set_password(
    transaction: &Transaction,
    id: UserId,
    hash: Option<&PasswordHash>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_password(transaction, id, hash, now).await?;
    links::revoke(transaction, id, &OUTSTANDING, OffsetDateTime::UNIX_EPOCH, now).await
}

/// Marks the address of a locked account as verified, and revokes the links that verify it.
pub async fn set_email_verified(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_verified(transaction, id, now).await?;
    links::revoke(transaction, id, &[Purpose::VerifyEmail], OffsetDateTime::UNIX_EPOCH, now).await
}

/// Moves a locked account to another address, and revokes the links that were sent to the old one.
/// Returns `false` when the address is not free; do not commit the transaction then.
pub async fn change_email(
    transaction: &Transaction,
    id: UserId,
    email: &Email,
    is_verified: bool,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    if !store::update_email(transaction, id, email, is_verified, now).await?
        || links::is_reserved(transaction, email, Some(id), now).await?
    {
        return Ok(false);
    }
    // Not the link that undoes the change: the owner of the old address keeps it for a week.
    let to_old_address = [&OUTSTANDING[..], &[Purpose::VerifyEmail, Purpose::NotMe]].concat();
    links::revoke(transaction, id, &to_old_address, OffsetDateTime::UNIX_EPOCH, now).await?;
    Ok(true)
}

/// Why a new password was rejected.
#[derive(Debug, Error)]
pub enum NewPasswordError {
    /// It is too weak, for all these reasons.
    #[error("the password is too weak")]
    Weak(Vec<Weakness>),
    /// Too many passwords are waiting to be hashed.
    #[error(transparent)]
    Busy(#[from] QueueFull),
}

/// Returns all weaknesses of a new password.
///
/// # Errors
/// [`QueueFull`] when too many passwords are waiting.
pub async fn check_password_strength(
    ctx: &Context,
    password: &Password,
    attributes: UserAttributes,
) -> Result<Vec<Weakness>, QueueFull> {
    let (password, min_length) = (password.clone(), ctx.settings.password_min_length);
    let host = ctx.settings.public_url.host();
    let site = site_words(host, ctx.settings.mail_from.name.as_deref());
    // A thread of its own, because it takes milliseconds: too long for an async thread, and log-ins
    // must not wait for it on a hashing thread.
    let queue = &ctx.strength_queue;
    queue.run(move |()| find_weaknesses(&password, &attributes, &site, min_length)).await
}

/// Checks the strength of a new password and hashes it.
pub async fn hash_new_password(
    ctx: &Context,
    password: Password,
    attributes: UserAttributes,
) -> Result<PasswordHash, NewPasswordError> {
    let found = check_password_strength(ctx, &password, attributes).await?;
    if !found.is_empty() {
        return Err(NewPasswordError::Weak(found));
    }
    Ok(ctx.hasher.hash(password).await?)
}

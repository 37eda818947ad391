//! The accounts: who there is, how they prove themselves by password, and what they may do.
//!
//! Knows no sessions: what becomes of them when an account changes is a flow's business.

mod email_verification;
mod hash_kinds;
mod password_policy;
pub mod search;
pub(crate) mod store;
mod strength;
mod word_lists;

use std::collections::BTreeMap;

use serde_json::json;
use thiserror::Error;
use time::OffsetDateTime;

pub use email_verification::{
    count_verification_email, notify_existing_owner, send_verification_email,
};
pub use hash_kinds::{HashKindsError, hash_kinds};
pub use password_policy::{MAX_LENGTH as MAX_PASSWORD, UserAttribute, UserAttributes, Weakness};
use password_policy::{find_weaknesses, site_words};

use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::crypto::{PasswordHash, QueueFull};
use crate::db::{Db, DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::outbox::Recipient;
use crate::types::{Email, Language, Password, Profile, RequestInfo, User, UserId};

/// An account, with what must not leave the house.
#[derive(Debug, Clone)]
pub struct Account {
    /// What may be shown.
    pub user: User,
    /// How the person proves to be it; `None` when not by password.
    pub password_hash: Option<PasswordHash>,
    /// Whether the account may be used.
    pub is_active: bool,
    /// When the account will be deleted, because its owner wants it.
    pub deletes_at: Option<OffsetDateTime>,
    /// Why the account may not be used, as staff noted it; may be empty.
    pub inactive_reason: String,
    /// When it may be used again by itself.
    pub inactive_until: Option<OffsetDateTime>,
    /// How often the account was saved: whoever saves says which version they saw.
    pub version: i64,
    /// When somebody last signed in.
    pub last_login_at: Option<OffsetDateTime>,
}

impl Account {
    /// Who e-mails about the account are for.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient {
            user: Some(self.user.id),
            email: self.user.email.clone(),
            language: self.user.language,
        }
    }

    /// What the account's password must not look like.
    #[must_use]
    pub fn user_attributes(&self) -> UserAttributes {
        UserAttributes::of(&self.user)
    }
}

/// What a new account starts with.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct NewAccount {
    /// The address.
    pub email: Email,
    /// The hashed password; `None` when the person is to choose one by link.
    pub password_hash: Option<PasswordHash>,
    /// What the user says about themselves.
    pub profile: Profile,
    /// The language of e-mails to the user.
    pub language: Language,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether the user may enter the admin pages.
    pub is_staff: bool,
    /// Whether the user has every permission.
    pub is_superuser: bool,
    /// Whether the address counts as verified from the beginning.
    pub is_verified: bool,
}

impl NewAccount {
    /// Returns an active account without a password, without a profile and without any role.
    #[must_use]
    pub fn new(email: Email, language: Language) -> Self {
        Self {
            email,
            password_hash: None,
            profile: Profile::default(),
            language,
            is_active: true,
            is_staff: false,
            is_superuser: false,
            is_verified: false,
        }
    }
}

/// Makes an account. The database decides whether the address is free: `None` means it is not, or
/// that somebody may still have it back. The transaction is not to be committed then.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn create(
    transaction: &Transaction,
    account: NewAccount,
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let email = account.email.clone();
    let user = store::insert(transaction, account, now).await?;
    // Asked after the insert, which waits for whoever is just leaving the address.
    if user.is_some() && links::is_reserved(transaction, &email, None, now).await? {
        return Ok(None);
    }
    Ok(user)
}

/// The account of an address.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find_by_email(db: &Db, email: &Email) -> Result<Option<Account>, DbError> {
    store::find_by_email(db.reader(), email).await
}

/// The accounts of these numbers, of those that there are.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_by_ids(db: &Db, ids: &[UserId]) -> Result<Vec<Account>, DbError> {
    store::list_by_ids(db, ids).await
}

/// The account of a number.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find_by_id(db: &Db, id: UserId) -> Result<Option<Account>, DbError> {
    store::find_by_id(db.reader(), id).await
}

/// The same, as the transaction sees it.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find_by_id_in(
    transaction: &Transaction,
    id: UserId,
) -> Result<Option<Account>, DbError> {
    store::find_by_id(transaction.connection(), id).await
}

/// The addresses of these accounts, of those that there are.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_emails(db: &Db, ids: &[UserId]) -> Result<BTreeMap<UserId, String>, DbError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    store::list_emails(db, ids).await
}

/// Those of these addresses that have an account, in their canonical form.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_taken(db: &Db, emails: &[&Email]) -> Result<Vec<String>, DbError> {
    store::list_taken(db, emails).await
}

/// How many accounts there are: all of them, those that may not be used, those whose address is not
/// proved, and those made since an instant. Each is counted up to `at_most`, in an index.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn count(db: &Db, since: OffsetDateTime, at_most: u64) -> Result<[u64; 4], DbError> {
    store::count(db, since, at_most).await
}

/// The account of an address, as the transaction sees it.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find_by_email_in(
    transaction: &Transaction,
    email: &Email,
) -> Result<Option<Account>, DbError> {
    store::find_by_email(transaction.connection(), email).await
}

/// The account as it is now, kept as it is until the transaction ends: whoever changes an account and
/// what hangs on it (links, sessions) begins here, and so two of them take turns.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn lock(transaction: &Transaction, id: UserId) -> Result<Option<Account>, DbError> {
    store::lock(transaction, id).await
}

/// Whether there is anybody who may do everything and whose account may be used.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn has_superuser_in(transaction: &Transaction) -> Result<bool, DbError> {
    store::has_superuser(transaction.connection()).await
}

/// The same question outside of a transaction.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn has_superuser(db: &Db) -> Result<bool, DbError> {
    store::has_superuser(db.reader()).await
}

/// A hash that a password was found to fit, and the hash that is to stand from now on: the same, or
/// a dearer one when costs have risen.
#[derive(Debug, Clone)]
pub struct VerifiedHash {
    /// The hash that was compared.
    pub stored: PasswordHash,
    /// The hash that takes its place.
    pub current: PasswordHash,
}

/// Lets a person in, if the account is active at this very moment, its address is proved where it
/// must be, and the hash that was proved, if one was, still stands; notes the time, and takes back
/// the wish to be deleted. `false` means that it is not so. The row stays locked until the transaction
/// ends, so nobody can be deactivated between this answer and the session that follows from it.
///
/// # Errors
/// [`DbError`] when the database cannot.
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
    Ok(end_suspension(transaction, id, now).await?
        && store::update_last_login(transaction, id, verified, must_be_verified, now).await?)
}

/// Lets an account be used again whose suspension is over; `false` means that it is not, or that it
/// was not suspended. One conditional statement decides, so it happens once.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn end_suspension(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    if !store::update_suspension_over(transaction, id, now).await? {
        return Ok(false);
    }
    let nobody = RequestInfo::from_terminal(String::new());
    let changes = json!({ "changes": { "is_active": [false, true] } });
    let event =
        AuditEvent::on_user(id, AuditEventKind::SuspensionExpired, &nobody).with_details(changes);
    audit::record(transaction, event, now).await?;
    Ok(true)
}

/// Up to `at_most` accounts whose suspension is over.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_suspended_until(
    db: &Db,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    store::list_suspended_until(db, now, at_most).await
}

/// Links that were sent out before and would let somebody else in after a change.
const OUTSTANDING: [Purpose; 2] = [Purpose::ResetPassword, Purpose::ChangeEmail];

/// Gives a locked account another password, or none, and ends the links that could undo that.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn set_password(
    transaction: &Transaction,
    id: UserId,
    hash: Option<&PasswordHash>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_password(transaction, id, hash, now).await?;
    links::revoke(transaction, id, &OUTSTANDING, OffsetDateTime::UNIX_EPOCH, now).await
}

/// Notes that the address of a locked account has been proved, and ends the links that would prove
/// it once more.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn set_email_verified(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_verified(transaction, id, now).await?;
    links::revoke(transaction, id, &[Purpose::VerifyEmail], OffsetDateTime::UNIX_EPOCH, now).await
}

/// Moves a locked account to another address, proved or not, and ends the links that went to the old
/// one; `false` means that the address is not free, and that the transaction is not to be committed.
///
/// # Errors
/// [`DbError`] when the database cannot.
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
    let to_the_old = [&OUTSTANDING[..], &[Purpose::VerifyEmail, Purpose::NotMe]].concat();
    links::revoke(transaction, id, &to_the_old, OffsetDateTime::UNIX_EPOCH, now).await?;
    Ok(true)
}

/// Writes a profile and the language of e-mails.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn set_profile(
    transaction: &Transaction,
    id: UserId,
    profile: &Profile,
    language: Language,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_profile(transaction, id, (profile, language), now).await
}

/// What staff can write of an account, all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUpdate {
    /// The address as typed; another one is first moved to with [`change_email`].
    pub email: Email,
    /// What the user says about themselves.
    pub profile: Profile,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether its person may enter the admin pages.
    pub is_staff: bool,
    /// Whether it may do everything.
    pub is_superuser: bool,
}

/// Writes a locked account that is still at `version`, and that is not the last one which may do
/// everything, or stays it; `false` means that one of these is not so. One statement decides.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn update(
    transaction: &Transaction,
    (id, version): (UserId, i64),
    update: &AccountUpdate,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_account(transaction, (id, version), update, now).await
}

/// Notes that an account is to be deleted at `at`; `false` means that it may not be, because nobody
/// else could do everything then. The database decides, also between two who leave at once.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn schedule_deletion(
    transaction: &Transaction,
    id: UserId,
    at: OffsetDateTime,
) -> Result<bool, DbError> {
    store::lock_superusers(transaction).await?;
    store::update_deletes_at(transaction, id, at).await
}

/// Notes in the trail that a log-in has just called off the deletion of an account, if one was scheduled
/// when the account was read; tells whether it was.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn record_deletion_cancelled(
    transaction: &Transaction,
    account: &Account,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let deletion_cancelled = account.deletes_at.is_some();
    if deletion_cancelled {
        let event = AuditEvent::by_owner(account.user.id, AuditEventKind::DeletionCancelled, info);
        audit::record(transaction, event, now).await?;
    }
    Ok(deletion_cancelled)
}

/// Why an account may not be used.
#[derive(Debug, Clone, Copy)]
pub struct Deactivation<'a> {
    /// The reason, for staff; may be empty.
    pub reason: &'a str,
    /// When it may be used again by itself.
    pub until: Option<OffsetDateTime>,
    /// When it is deleted.
    pub deletes_at: Option<OffsetDateTime>,
}

/// Forbids the use of a locked account; `false` means that it may not be forbidden, because nobody
/// else could do everything then.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn deactivate(
    transaction: &Transaction,
    id: UserId,
    why: Deactivation<'_>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_inactive(transaction, id, why, now).await
}

/// Lets a locked account be used again, and takes back that it is to be deleted.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn activate(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::update_active(transaction, id, now).await
}

/// How an account stood before something was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSnapshot {
    /// The version that it got by what was done.
    pub version: i64,
    /// Whether it could be used.
    pub is_active: bool,
    /// Why not, may be empty.
    pub reason: String,
    /// When it could have been used again by itself.
    pub until: Option<OffsetDateTime>,
    /// When it was to be deleted.
    pub deletes_at: Option<OffsetDateTime>,
}

/// Lets an account be used, or not, as it could be before; `false` means that it is gone, or was saved
/// again since.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn restore(
    transaction: &Transaction,
    id: UserId,
    before: &AccountSnapshot,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_restored(transaction, id, before, now).await
}

/// The account with the highest number.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find_last(db: &Db) -> Result<UserId, DbError> {
    Ok(store::find_last(db).await?.unwrap_or(UserId(0)))
}

/// Up to `at_most` accounts whose deletion is due, or that have not proved their address since
/// `unverified_before`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_due_for_deletion(
    db: &Db,
    unverified_before: Option<OffsetDateTime>,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let mut due = store::list_due(db, now, at_most).await?;
    if let Some(before) = unverified_before {
        due.extend(store::list_unverified(db, before, at_most).await?);
    }
    Ok(due)
}

/// To be called before an account that is to be removed is locked: nobody else becomes or stops being
/// a superuser until the transaction ends.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn lock_superusers(transaction: &Transaction) -> Result<(), DbError> {
    store::lock_superusers(transaction).await
}

/// Removes a locked account, with its sessions and links; `false` means that it may not go, because
/// nobody else could do everything then.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn delete(transaction: &Transaction, id: UserId) -> Result<bool, DbError> {
    store::delete(transaction, id).await
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

/// Everything that is wrong with a new password, or nothing. It costs a few milliseconds at most, on a
/// thread of its own: those that hash have no other work, and async threads none that takes long.
///
/// # Errors
/// [`QueueFull`] when too many are waiting.
pub async fn check_password_strength(
    ctx: &Context,
    password: &Password,
    attributes: UserAttributes,
) -> Result<Vec<Weakness>, QueueFull> {
    let (password, min_length) = (password.clone(), ctx.settings.password_min_length);
    let host = ctx.settings.public_url.host();
    let site = site_words(host, ctx.settings.mail_from.name.as_deref());
    ctx.strength_queue
        .run(move |()| find_weaknesses(&password, &attributes, &site, min_length))
        .await
}

/// Weighs a new password and hashes it.
///
/// # Errors
/// [`NewPasswordError`] says why it was not taken.
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

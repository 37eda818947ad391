//! The types of accounts: a stored one, a new one, and an update by staff.

use time::OffsetDateTime;

use super::UserAttributes;
use crate::crypto::PasswordHash;
use crate::outbox::Recipient;
use crate::types::{Email, Language, Profile, User};

/// An account, including what must not leave the program.
#[derive(Debug, Clone)]
pub struct Account {
    /// What may be shown.
    pub user: User,
    /// The hash of the password; `None` when there is no password.
    pub password_hash: Option<PasswordHash>,
    /// Whether the account may be used.
    pub is_active: bool,
    /// When the account will be deleted, if its owner or staff asked for that.
    pub deletes_at: Option<OffsetDateTime>,
    /// Why the account may not be used, as staff wrote it; may be empty.
    pub inactive_reason: String,
    /// When a suspension ends by itself.
    pub inactive_until: Option<OffsetDateTime>,
    /// Counts how often the account was saved, so that an update can name the version that it saw.
    pub version: i64,
    /// When the user last logged in.
    pub last_login_at: Option<OffsetDateTime>,
}

impl Account {
    /// Returns the recipient of e-mails about the account.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        Recipient {
            user: Some(self.user.id),
            email: self.user.email.clone(),
            language: self.user.language,
        }
    }

    /// Returns what the account's password must not resemble.
    #[must_use]
    pub fn user_attributes(&self) -> UserAttributes {
        UserAttributes::of(&self.user)
    }
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct NewAccount {
    pub email: Email,
    /// The hash of the password; `None` when the user will choose one by link, or logs in
    /// otherwise.
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

/// What staff write of an account, all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUpdate {
    /// The address as typed; [`change_email`](super::change_email) moves an account to another one
    /// first.
    pub email: Email,
    /// What the user says about themselves.
    pub profile: Profile,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether the user may enter the admin pages.
    pub is_staff: bool,
    /// Whether the user has every permission.
    pub is_superuser: bool,
}

impl AccountUpdate {
    /// Returns what an account has now.
    #[must_use]
    pub fn of(account: &Account) -> Self {
        let user = &account.user;
        Self {
            email: user.email.clone(),
            profile: user.profile.clone(),
            is_active: account.is_active,
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
        }
    }
}

/// A hash that a password matched, and the hash to store from now on: the same, or a stronger one
/// when the cost was raised.
#[derive(Debug, Clone)]
pub struct VerifiedHash {
    /// The hash that was compared.
    pub stored: PasswordHash,
    /// The hash that replaces it.
    pub current: PasswordHash,
}

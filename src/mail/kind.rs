//! The kinds of e-mails that an account can get.

use serde::{Deserialize, Serialize};

use super::texts;

/// Why an e-mail is sent. The names are stored: kinds are added, and never renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailKind {
    /// A sign-up, or the owner asked again: the address has to be verified.
    VerifyEmail,
    /// A sign-up with an address that has an account.
    AlreadyJoined,
    /// A request for a new password.
    ResetPassword,
    /// The owner reported a compromise: the password is off, and a new one has to be chosen.
    AccountLocked,
    /// Staff created the account: its owner has to choose a password.
    Invited,
    /// The password was changed.
    PasswordChanged,
    /// A log-in on a device that the account does not know.
    NewDevice,
    /// A replaced refresh token was used again, and the session was ended.
    TokenReused,
    /// To the new address: it has to be verified before the account changes to it.
    ConfirmNewEmail,
    /// To an address that has an account: another account wanted to change to it.
    AddressInUse,
    /// To the old address: the account has changed to another one.
    EmailChanged,
    /// The account will be deleted.
    DeletionScheduled,
    /// The account was deleted.
    Deleted,
    /// A social account was connected and logs in to the account from now on.
    SocialConnected,
    /// `daemun check --mail` tries the mail server.
    Test,
}

impl EmailKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::VerifyEmail,
        Self::AlreadyJoined,
        Self::ResetPassword,
        Self::AccountLocked,
        Self::Invited,
        Self::PasswordChanged,
        Self::NewDevice,
        Self::TokenReused,
        Self::ConfirmNewEmail,
        Self::AddressInUse,
        Self::EmailChanged,
        Self::DeletionScheduled,
        Self::Deleted,
        Self::SocialConnected,
        Self::Test,
    ];

    /// Returns the stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyJoined => "already_joined",
            Self::ResetPassword => "reset_password",
            Self::AccountLocked => "account_locked",
            Self::Invited => "invited",
            Self::PasswordChanged => "password_changed",
            Self::NewDevice => "new_device",
            Self::TokenReused => "token_reused",
            Self::ConfirmNewEmail => "confirm_new_email",
            Self::AddressInUse => "address_in_use",
            Self::EmailChanged => "email_changed",
            Self::DeletionScheduled => "deletion_scheduled",
            Self::Deleted => "deleted",
            Self::SocialConnected => "social_connected",
            Self::Test => "test",
        }
    }

    /// Returns the translation key of the subject.
    #[must_use]
    pub fn subject(self) -> &'static str {
        texts::subject(self)
    }

    /// Reads a stored name.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

//! The kinds of e-mails that an account can get.

use serde::{Deserialize, Serialize};

use super::texts;
use crate::types::stored_enum;

stored_enum! {
    /// Why an e-mail is sent. The names are stored: kinds are added, and never renamed.
    #[derive(Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum EmailKind {
        /// A sign-up, or the owner asked again: the address has to be verified.
        VerifyEmail = "verify_email",
        /// A sign-up with an address that has an account.
        AlreadyJoined = "already_joined",
        /// A request for a new password.
        ResetPassword = "reset_password",
        /// The owner reported a compromise: the password is off, and a new one has to be chosen.
        AccountLocked = "account_locked",
        /// Staff created the account: its owner has to choose a password.
        Invited = "invited",
        /// The password was changed.
        PasswordChanged = "password_changed",
        /// A log-in on a device that the account does not know.
        NewDevice = "new_device",
        /// A replaced refresh token was used again, and the session was ended.
        TokenReused = "token_reused",
        /// To the new address: it has to be verified before the account changes to it.
        ConfirmNewEmail = "confirm_new_email",
        /// To an address that has an account: another account wanted to change to it.
        AddressInUse = "address_in_use",
        /// To the old address: the account has changed to another one.
        EmailChanged = "email_changed",
        /// The account will be deleted.
        DeletionScheduled = "deletion_scheduled",
        /// The account was deleted.
        Deleted = "deleted",
        /// A social account was connected and logs in to the account from now on.
        SocialConnected = "social_connected",
        /// `daemun check --mail` tries the mail server.
        Test = "test",
    }
}

impl EmailKind {
    /// Returns the translation key of the subject.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only tests ask for it"))]
    #[must_use]
    pub fn subject(self) -> &'static str {
        texts::subject(self)
    }
}

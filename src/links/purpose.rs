//! What one-time links are for, and how long they are valid.

use std::time::Duration;

use crate::types::stored_enum;

stored_enum! {
    /// What a link is for; it cannot be used for anything else. The names are stored.
    pub enum Purpose {
        /// Creating the first superuser.
        Setup = "setup",
        /// Verifying the e-mail address of an account.
        VerifyEmail = "verify_email",
        /// Choosing a new password without the old one.
        ResetPassword = "reset_password",
        /// Changing the e-mail address to the one that the link was sent to.
        ChangeEmail = "change_email",
        /// Changing the e-mail address back.
        UndoEmailChange = "undo_email_change",
        /// "This wasn't me": ends every session and locks the password.
        NotMe = "not_me",
    }
}

impl Purpose {
    /// Returns how long a link is valid.
    #[must_use]
    pub fn lifetime(self) -> Duration {
        match self {
            // Short, because it opens the account.
            Self::ResetPassword => Duration::from_hours(1),
            // Long enough to be found after lunch, short enough that an old terminal log does not
            // hold a valid link.
            Self::Setup | Self::ChangeEmail => Duration::from_hours(24),
            Self::VerifyEmail => Duration::from_hours(3 * 24),
            // Long, because it protects the account: the owner may not read mail every day.
            Self::UndoEmailChange | Self::NotMe => Duration::from_hours(7 * 24),
        }
    }
}

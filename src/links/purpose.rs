//! What one-time links are for, and how long they are valid.

use std::time::Duration;

/// What a link is for; it cannot be used for anything else. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Creating the first superuser.
    Setup,
    /// Verifying the e-mail address of an account.
    VerifyEmail,
    /// Choosing a new password without the old one.
    ResetPassword,
    /// Changing the e-mail address to the one that the link was sent to.
    ChangeEmail,
    /// Changing the e-mail address back.
    UndoEmailChange,
    /// "This wasn't me": ends every session and locks the password.
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

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::UndoEmailChange => "undo_email_change",
            Self::NotMe => "not_me",
        }
    }

    pub(super) fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == name)
    }

    /// Returns how long a link is valid. Links that open an account are short-lived; links that
    /// protect one give its owner time to read their mail.
    #[must_use]
    pub fn lifetime(self) -> Duration {
        match self {
            Self::ResetPassword => Duration::from_hours(1),
            // Long enough to be found after lunch, short enough that an old terminal log does not
            // hold a valid link.
            Self::Setup | Self::ChangeEmail => Duration::from_hours(24),
            Self::VerifyEmail => Duration::from_hours(3 * 24),
            Self::UndoEmailChange | Self::NotMe => Duration::from_hours(7 * 24),
        }
    }
}

//! Flash messages: one sentence on the next page that says what was done.
//!
//! The message travels in a cookie and is removed when it is shown. The cookie holds a translation
//! key from a fixed list, so no link can make a page display other text.

use rocket::Request;
use rocket::http::CookieJar;

use crate::context::Context;
use crate::http::cookies;

/// A flash message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flash {
    ProfileSaved,
    PasswordChanged,
    PasswordReset,
    VerificationSent,
    EmailVerified,
    EmailVerifiedOthersLoggedOut,
    EmailChangeRequested,
    EmailChanged,
    AccountProtected,
    LoggedOut,
    DeletionScheduled,
    DeletionCancelled,
    UserSaved,
    UserCreated,
    UserActivated,
    UserDeactivated,
    UserVerified,
    UserSessionsEnded,
    UserDeleted,
    UserPasswordLocked,
    GroupSaved,
    GroupDeleted,
    EmailRetried,
    EmailNotWaiting,
    SocialConnected,
    SocialDisconnected,
    ProviderSaved,
    ProviderDeleted,
}

impl Flash {
    const ALL: [Self; 28] = [
        Self::ProfileSaved,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::VerificationSent,
        Self::EmailVerified,
        Self::EmailVerifiedOthersLoggedOut,
        Self::EmailChangeRequested,
        Self::EmailChanged,
        Self::AccountProtected,
        Self::LoggedOut,
        Self::DeletionScheduled,
        Self::DeletionCancelled,
        Self::UserSaved,
        Self::UserCreated,
        Self::UserActivated,
        Self::UserDeactivated,
        Self::UserVerified,
        Self::UserSessionsEnded,
        Self::UserDeleted,
        Self::UserPasswordLocked,
        Self::GroupSaved,
        Self::GroupDeleted,
        Self::EmailRetried,
        Self::EmailNotWaiting,
        Self::SocialConnected,
        Self::SocialDisconnected,
        Self::ProviderSaved,
        Self::ProviderDeleted,
    ];

    /// Returns the translation key, which is also the cookie's value.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::ProfileSaved => "flash.profile_saved",
            Self::PasswordChanged => "flash.password_changed",
            Self::PasswordReset => "flash.password_reset",
            Self::VerificationSent => "flash.verification_sent",
            Self::EmailVerified => "flash.email_verified",
            Self::EmailVerifiedOthersLoggedOut => "flash.email_verified_sessions_ended",
            Self::EmailChangeRequested => "flash.email_change_requested",
            Self::EmailChanged => "flash.email_changed",
            Self::AccountProtected => "flash.compromise_reported",
            Self::LoggedOut => "flash.logged_out",
            Self::DeletionScheduled => "flash.deletion_scheduled",
            Self::DeletionCancelled => "flash.deletion_cancelled",
            Self::UserSaved => "flash.user_saved",
            Self::UserCreated => "flash.user_created",
            Self::UserActivated => "flash.user_activated",
            Self::UserDeactivated => "flash.user_deactivated",
            Self::UserVerified => "flash.user_verified",
            Self::UserSessionsEnded => "flash.user_sessions_ended",
            Self::UserDeleted => "flash.user_deleted",
            Self::UserPasswordLocked => "flash.user_password_disabled",
            Self::GroupSaved => "flash.group_saved",
            Self::GroupDeleted => "flash.group_deleted",
            Self::EmailRetried => "flash.email_retried",
            Self::EmailNotWaiting => "flash.email_not_waiting",
            Self::SocialConnected => "flash.social_connected",
            Self::SocialDisconnected => "flash.social_disconnected",
            Self::ProviderSaved => "flash.provider_saved",
            Self::ProviderDeleted => "flash.provider_deleted",
        }
    }

    /// Shows the message on the next page.
    pub(crate) fn set(self, jar: &CookieJar<'_>, ctx: &Context) {
        cookies::set_flash_message(jar, ctx, self.key());
    }

    /// Returns the message for this page and removes it.
    pub(crate) fn take(request: &Request<'_>, ctx: &Context) -> Option<Self> {
        Self::from_key(cookies::take_flash_message(request, ctx)?)
    }

    /// Parses a cookie's value.
    fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flash| flash.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::Flash;

    #[test]
    fn a_cookie_says_one_of_our_sentences_or_nothing() {
        for flash in Flash::ALL {
            assert_eq!(Flash::from_key(flash.key()), Some(flash));
        }
        assert_eq!(Flash::from_key("error.500.title"), None);
        assert_eq!(Flash::from_key("<script>"), None);
    }
}

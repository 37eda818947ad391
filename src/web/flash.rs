//! Flash messages: one sentence on the next page that says what was done.
//!
//! The message travels in a cookie and is removed when it is shown. The cookie holds a translation
//! key from a fixed list, so no link can make a page display other text.

use rocket::Request;
use rocket::http::CookieJar;

use crate::context::Context;
use crate::http::cookies;
use crate::types::stored_enum;

stored_enum! {
    /// A flash message.
    pub(crate) enum Flash {
        ProfileSaved = "flash.profile_saved",
        PasswordChanged = "flash.password_changed",
        PasswordReset = "flash.password_reset",
        VerificationSent = "flash.verification_sent",
        EmailVerified = "flash.email_verified",
        EmailVerifiedOthersLoggedOut = "flash.email_verified_sessions_ended",
        EmailChangeRequested = "flash.email_change_requested",
        EmailChanged = "flash.email_changed",
        AccountProtected = "flash.compromise_reported",
        LoggedOut = "flash.logged_out",
        DeletionScheduled = "flash.deletion_scheduled",
        DeletionCancelled = "flash.deletion_cancelled",
        UserSaved = "flash.user_saved",
        UserCreated = "flash.user_created",
        UserActivated = "flash.user_activated",
        UserDeactivated = "flash.user_deactivated",
        UserVerified = "flash.user_verified",
        UserSessionsEnded = "flash.user_sessions_ended",
        UserDeleted = "flash.user_deleted",
        UserPasswordLocked = "flash.user_password_disabled",
        GroupSaved = "flash.group_saved",
        GroupDeleted = "flash.group_deleted",
        EmailRetried = "flash.email_retried",
        EmailNotWaiting = "flash.email_not_waiting",
        SocialConnected = "flash.social_connected",
        SocialDisconnected = "flash.social_disconnected",
        ProviderSaved = "flash.provider_saved",
        ProviderDeleted = "flash.provider_deleted",
    }
}

impl Flash {
    /// Shows the message on the next page.
    pub(crate) fn set(self, jar: &CookieJar<'_>, ctx: &Context) {
        cookies::set_flash_message(jar, ctx, self.as_str());
    }

    /// Returns the message for this page and removes it.
    pub(crate) fn take(request: &Request<'_>, ctx: &Context) -> Option<Self> {
        Self::from_stored(cookies::take_flash_message(request, ctx)?)
    }
}

#[cfg(test)]
mod tests {
    use super::Flash;

    #[test]
    fn a_cookie_says_one_of_our_sentences_or_nothing() {
        for flash in Flash::ALL {
            assert_eq!(Flash::from_stored(flash.as_str()), Some(flash));
        }
        assert_eq!(Flash::from_stored("error.500.title"), None);
        assert_eq!(Flash::from_stored("<script>"), None);
    }
}

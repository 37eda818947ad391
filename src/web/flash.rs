//! One sentence on the next page: that something is done.
//!
//! It travels in a cookie and is gone once it has been shown. The cookie names one of our own
//! sentences, so nobody can make a page say anything else.

use rocket::Request;
use rocket::http::CookieJar;

use crate::context::Ctx;
use crate::http::cookies;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    ProfileSaved,
    PasswordChanged,
    PasswordReset,
    VerificationSent,
    EmailVerified,
    EmailVerifiedAlone,
    EmailChangeAsked,
    EmailChanged,
    Protected,
    LoggedOut,
    Leaving,
    Stayed,
    PersonSaved,
    PersonAdded,
    PersonActivated,
    PersonDeactivated,
    PersonVerified,
    PersonSessionsEnded,
    PersonDeleted,
    PersonPasswordLocked,
    GroupSaved,
    GroupDeleted,
    LetterRetried,
    LetterNotWaiting,
    SocialConnected,
    SocialDisconnected,
    ProviderSaved,
    ProviderDeleted,
}

impl Notice {
    const ALL: [Self; 28] = [
        Self::ProfileSaved,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::VerificationSent,
        Self::EmailVerified,
        Self::EmailVerifiedAlone,
        Self::EmailChangeAsked,
        Self::EmailChanged,
        Self::Protected,
        Self::LoggedOut,
        Self::Leaving,
        Self::Stayed,
        Self::PersonSaved,
        Self::PersonAdded,
        Self::PersonActivated,
        Self::PersonDeactivated,
        Self::PersonVerified,
        Self::PersonSessionsEnded,
        Self::PersonDeleted,
        Self::PersonPasswordLocked,
        Self::GroupSaved,
        Self::GroupDeleted,
        Self::LetterRetried,
        Self::LetterNotWaiting,
        Self::SocialConnected,
        Self::SocialDisconnected,
        Self::ProviderSaved,
        Self::ProviderDeleted,
    ];

    /// The key of the sentence, and the name in the cookie.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::ProfileSaved => "flash.profile_saved",
            Self::PasswordChanged => "flash.password_changed",
            Self::PasswordReset => "flash.password_reset",
            Self::VerificationSent => "flash.verification_sent",
            Self::EmailVerified => "flash.email_verified",
            Self::EmailVerifiedAlone => "flash.email_verified_sessions_ended",
            Self::EmailChangeAsked => "flash.email_change_requested",
            Self::EmailChanged => "flash.email_changed",
            Self::Protected => "flash.compromise_reported",
            Self::LoggedOut => "flash.logged_out",
            Self::Leaving => "flash.deletion_scheduled",
            Self::Stayed => "flash.deletion_cancelled",
            Self::PersonSaved => "flash.user_saved",
            Self::PersonAdded => "flash.user_created",
            Self::PersonActivated => "flash.user_activated",
            Self::PersonDeactivated => "flash.user_deactivated",
            Self::PersonVerified => "flash.user_verified",
            Self::PersonSessionsEnded => "flash.user_sessions_ended",
            Self::PersonDeleted => "flash.user_deleted",
            Self::PersonPasswordLocked => "flash.user_password_disabled",
            Self::GroupSaved => "flash.group_saved",
            Self::GroupDeleted => "flash.group_deleted",
            Self::LetterRetried => "flash.email_retried",
            Self::LetterNotWaiting => "flash.email_not_waiting",
            Self::SocialConnected => "flash.social_connected",
            Self::SocialDisconnected => "flash.social_disconnected",
            Self::ProviderSaved => "flash.provider_saved",
            Self::ProviderDeleted => "flash.provider_deleted",
        }
    }

    /// Says so on the next page.
    pub(crate) fn say(self, jar: &CookieJar<'_>, ctx: &Ctx) {
        cookies::carry_notice(jar, ctx, self.key());
    }

    /// What is to be said on this page; it is said once.
    pub(crate) fn take(request: &Request<'_>, ctx: &Ctx) -> Option<Self> {
        Self::from_key(cookies::take_notice(request, ctx)?)
    }

    /// Reads what a cookie says.
    fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.key() == key)
    }
}

#[cfg(test)]
mod tests {
    use super::Notice;

    #[test]
    fn a_cookie_says_one_of_our_sentences_or_nothing() {
        for notice in Notice::ALL {
            assert_eq!(Notice::from_key(notice.key()), Some(notice));
        }
        assert_eq!(Notice::from_key("error.500.title"), None);
        assert_eq!(Notice::from_key("<script>"), None);
    }
}

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
            Self::ProfileSaved => "notice.profile_saved",
            Self::PasswordChanged => "notice.password_changed",
            Self::PasswordReset => "notice.password_reset",
            Self::VerificationSent => "notice.verification_sent",
            Self::EmailVerified => "notice.email_verified",
            Self::EmailVerifiedAlone => "notice.email_verified_alone",
            Self::EmailChangeAsked => "notice.email_change_asked",
            Self::EmailChanged => "notice.email_changed",
            Self::Protected => "notice.protected",
            Self::LoggedOut => "notice.logged_out",
            Self::Leaving => "notice.leaving",
            Self::Stayed => "notice.stayed",
            Self::PersonSaved => "notice.person_saved",
            Self::PersonAdded => "notice.person_added",
            Self::PersonActivated => "notice.person_activated",
            Self::PersonDeactivated => "notice.person_deactivated",
            Self::PersonVerified => "notice.person_verified",
            Self::PersonSessionsEnded => "notice.person_sessions_ended",
            Self::PersonDeleted => "notice.person_deleted",
            Self::PersonPasswordLocked => "notice.person_password_locked",
            Self::GroupSaved => "notice.group_saved",
            Self::GroupDeleted => "notice.group_deleted",
            Self::LetterRetried => "notice.letter_retried",
            Self::LetterNotWaiting => "notice.letter_not_waiting",
            Self::SocialConnected => "notice.social_connected",
            Self::SocialDisconnected => "notice.social_disconnected",
            Self::ProviderSaved => "notice.provider_saved",
            Self::ProviderDeleted => "notice.provider_deleted",
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

//! The context of a page: what every template asks for. It reads nothing but the request and the
//! session; what a page is about comes from its handler.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};
use time::{OffsetDateTime, UtcOffset};

use crate::config::SignupMode;
use crate::context::Context;
use crate::http::guards;
use crate::http::guards::{AuthUnavailable, SignedIn};
use crate::http::{csrf, locale, next};
use crate::i18n::{Language, of_mail};
use crate::paths;
use crate::types::Permission;
use crate::web::flash::Flash;
use crate::web::statics;
/// The admin sections: path, translation key, and the permission that each needs.
const ADMIN_SECTIONS: [(&str, &str, Option<Permission>); 7] = [
    (paths::ADMIN, "admin.nav.dashboard", None),
    (paths::ADMIN_USERS, "admin.nav.users", Some(Permission::UsersView)),
    (paths::ADMIN_GROUPS, "admin.nav.groups", Some(Permission::UsersView)),
    (paths::ADMIN_PROVIDERS, "admin.nav.social", Some(Permission::SocialChange)),
    (paths::ADMIN_AUDIT, "admin.nav.audit", Some(Permission::AuditView)),
    (paths::ADMIN_EMAILS, "admin.nav.emails", Some(Permission::AuditView)),
    (paths::ADMIN_SETTINGS, "admin.nav.settings", Some(Permission::SettingsView)),
];

/// What every template needs: language, user, form token, flash message.
#[derive(Debug, Clone)]
pub struct PageContext {
    language: Language,
    user: Option<SignedIn>,
    csrf: String,
    path_and_query: String,
    flash: Option<Flash>,
    may_sign_up: bool,
    is_mail_delivered: bool,
}

/// Fails when the database cannot say who is logged in.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for PageContext {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match guards::current_user(request).await {
            Ok(user) => match Self::build(request, user.clone()) {
                Some((page, ctx)) => {
                    let flash = Flash::take(request, ctx);
                    Outcome::Success(Self { flash, ..page })
                }
                None => Outcome::Error((Status::InternalServerError, ())),
            },
            Err(AuthUnavailable(status)) => Outcome::Error((*status, ())),
        }
    }
}

impl PageContext {
    /// Builds the context of an error page, which treats a user as a visitor when the database
    /// cannot tell.
    pub(crate) async fn for_error_page(request: &Request<'_>) -> Option<Self> {
        let user = guards::current_user(request).await.clone().unwrap_or_default();
        Self::build(request, user).map(|(page, _)| page)
    }

    fn build<'r>(request: &'r Request<'_>, user: Option<SignedIn>) -> Option<(Self, &'r Context)> {
        let ctx = request.rocket().state::<Context>()?;
        // Forms send it back as `next`, so it must be a safe path.
        let path_and_query = next::or_home(&request.uri().to_string());
        let page = Self {
            language: locale::language(request),
            csrf: csrf::token(request, ctx, user.as_ref()),
            path_and_query,
            // An error page leaves the message for the next page.
            flash: None,
            may_sign_up: ctx.settings.signup == SignupMode::Open,
            is_mail_delivered: ctx.settings.delivers_mail(),
            user,
        };
        Some((page, ctx))
    }

    /// Returns the page's language.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// Returns the language's tag, for `<html lang>`.
    #[must_use]
    pub fn lang(&self) -> &'static str {
        self.language.tag()
    }

    /// Returns a translated sentence.
    #[must_use]
    pub fn t(&self, key: &'static str) -> Cow<'static, str> {
        self.language.say(of_mail(key, self.is_mail_delivered))
    }

    /// Returns a translated sentence with one placeholder filled in.
    #[must_use]
    pub fn t_with(&self, key: &'static str, name: &str, value: impl Display) -> String {
        let key = of_mail(key, self.is_mail_delivered);
        self.language.tell(key, &[(name, &value.to_string())])
    }

    /// Returns the token for the page's forms.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Returns whether sign-up is open.
    #[must_use]
    pub fn may_sign_up(&self) -> bool {
        self.may_sign_up
    }

    /// Returns whether e-mails are delivered, rather than written to a folder.
    #[must_use]
    pub fn is_mail_delivered(&self) -> bool {
        self.is_mail_delivered
    }

    /// Returns the path and query of this page.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Returns the path of a static file.
    #[must_use]
    #[expect(clippy::unused_self, reason = "a template calls it on its page")]
    pub fn asset(&self, name: &str) -> &'static str {
        statics::path(name)
    }

    /// Returns the user's address, when logged in.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.user.as_ref().map(SignedIn::email)
    }

    /// Returns the translation key of the flash message.
    #[must_use]
    pub fn flash(&self) -> Option<&'static str> {
        self.flash.map(Flash::as_str)
    }

    /// Returns the user, when logged in.
    #[must_use]
    pub fn user(&self) -> Option<&SignedIn> {
        self.user.as_ref()
    }

    /// Returns whether the user may open the admin pages.
    #[must_use]
    pub fn may_enter_admin(&self) -> bool {
        self.user.as_ref().is_some_and(|user| {
            let user = user.user();
            user.is_staff || user.is_superuser
        })
    }

    /// Returns the admin sections that the user may open: path and translation key.
    #[must_use]
    pub fn admin_sections(&self) -> Vec<(&'static str, &'static str)> {
        let may = |permission| self.user.as_ref().is_some_and(|user| user.user().may(permission));
        let rooms = ADMIN_SECTIONS.iter().filter(|(_, _, permission)| permission.is_none_or(may));
        rooms.map(|(path, key, _)| (*path, *key)).collect()
    }

    /// Returns whether this page belongs to the section at `path`. Bulk jobs belong to the users.
    #[must_use]
    pub fn is_current_section(&self, path: &str) -> bool {
        let path_and_query = self.path_and_query.split('?').next().unwrap_or_default();
        let is_below =
            |path: &str| path_and_query == path || path_and_query.starts_with(&format!("{path}/"));
        let is_bulk = path == paths::ADMIN_USERS && is_below(paths::ADMIN_BULK_JOBS);
        path_and_query == path || is_bulk || (path != paths::ADMIN && is_below(path))
    }

    /// Formats a date as is usual in the page's language.
    #[must_use]
    pub fn date(&self, instant: OffsetDateTime) -> String {
        let (year, month, day) = (instant.year(), instant.month(), instant.day());
        match self.language {
            Language::Korean => format!("{year}년 {}월 {day}일", u8::from(month)),
            Language::English => format!("{day} {month} {year}"),
        }
    }

    /// Formats a date and time as is usual in the page's language, in UTC.
    #[must_use]
    pub fn date_time(&self, instant: OffsetDateTime) -> String {
        let instant = instant.to_offset(UtcOffset::UTC);
        let (day, hour, minute) = (self.date(instant), instant.hour(), instant.minute());
        match self.language {
            // The server does not know the user's time zone, so the text names UTC; the script
            // replaces it.
            Language::Korean => format!("{day} {hour:02}:{minute:02} (UTC)"),
            Language::English => format!("{day}, {hour:02}:{minute:02} UTC"),
        }
    }

    /// Formats a duration.
    #[must_use]
    pub fn wait(&self, wait: Duration) -> String {
        self.language.wait(wait)
    }
}

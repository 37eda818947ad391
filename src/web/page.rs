//! What every page is drawn in, and the drawn page itself.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use askama::Template;
use flate2::Compression;
use rocket::Request;
use rocket::http::{ContentType, Header, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder, Response};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::error::Error;
use super::flash::Flash;
use super::statics;
use crate::config::SignUp;
use crate::context::Ctx;
use crate::http::guards;
use crate::http::guards::{SignedIn, Unknown};
use crate::http::{csrf, headers, locale, next, retry};
use crate::i18n::{Language, of_mail};
use crate::types::Permission;

/// The admin pages, and the permission that each needs.
const ADMIN_SECTIONS: [(&str, &str, Option<Permission>); 7] = [
    ("/admin", "admin.nav.dashboard", None),
    ("/admin/users", "admin.nav.users", Some(Permission::UsersView)),
    ("/admin/groups", "admin.nav.groups", Some(Permission::UsersView)),
    ("/admin/social", "admin.nav.social", Some(Permission::SocialChange)),
    ("/admin/audit", "admin.nav.audit", Some(Permission::AuditView)),
    ("/admin/mail", "admin.nav.emails", Some(Permission::AuditView)),
    ("/admin/settings", "admin.nav.settings", Some(Permission::SettingsView)),
];

/// The page build a page: its language, its reader, and the token for its forms.
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

/// Refused when the database cannot say who is reading.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for PageContext {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match guards::who(request).await {
            Ok(user) => match Self::build(request, user.clone()) {
                Some((page, ctx)) => {
                    let flash = Flash::take(request, ctx);
                    Outcome::Success(Self { flash, ..page })
                }
                None => Outcome::Error((Status::InternalServerError, ())),
            },
            Err(Unknown(status)) => Outcome::Error((*status, ())),
        }
    }
}

impl PageContext {
    /// The page of an error page: a reader who cannot be made out is a visitor.
    pub(crate) async fn for_error_page(request: &Request<'_>) -> Option<Self> {
        let user = guards::who(request).await.clone().unwrap_or_default();
        Self::build(request, user).map(|(page, _)| page)
    }

    fn build<'r>(request: &'r Request<'_>, user: Option<SignedIn>) -> Option<(Self, &'r Ctx)> {
        let ctx = request.rocket().state::<Ctx>()?;
        let path_and_query = next::back(&request.uri().to_string());
        let page = Self {
            language: locale::language(request),
            csrf: csrf::token(request, ctx, user.as_ref()),
            path_and_query,
            flash: None,
            may_sign_up: ctx.settings.signup == SignUp::Open,
            is_mail_delivered: ctx.settings.delivers_mail(),
            user,
        };
        Some((page, ctx))
    }

    /// The language of the page.
    #[must_use]
    pub fn language(&self) -> Language {
        self.language
    }

    /// The language's tag, for `<html lang>`.
    #[must_use]
    pub fn lang(&self) -> &'static str {
        self.language.tag()
    }

    /// A sentence.
    #[must_use]
    pub fn t(&self, key: &'static str) -> Cow<'static, str> {
        self.language.say(of_mail(key, self.is_mail_delivered))
    }

    /// A sentence with one placeholder.
    #[must_use]
    pub fn t_with(&self, key: &'static str, name: &str, value: impl Display) -> String {
        let key = of_mail(key, self.is_mail_delivered);
        self.language.tell(key, &[(name, &value.to_string())])
    }

    /// The token of the page's forms.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether a visitor may make an account.
    #[must_use]
    pub fn may_sign_up(&self) -> bool {
        self.may_sign_up
    }

    /// Whether people get the e-mails that are written to them.
    #[must_use]
    pub fn is_mail_delivered(&self) -> bool {
        self.is_mail_delivered
    }

    /// The page's own path and query.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// The path of a static file.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        statics::path(name)
    }

    /// The reader's address, when signed in.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.user.as_ref().map(SignedIn::email)
    }

    /// The key of the sentence that something is done, on the page after it.
    #[must_use]
    pub fn flash(&self) -> Option<&'static str> {
        self.flash.map(Flash::key)
    }

    /// The reader, when signed in.
    #[must_use]
    pub fn user(&self) -> Option<&SignedIn> {
        self.user.as_ref()
    }

    /// Whether the reader may enter the admin pages.
    #[must_use]
    pub fn may_enter_admin(&self) -> bool {
        self.user.as_ref().is_some_and(|user| {
            let user = user.person();
            user.is_staff || user.is_superuser
        })
    }

    /// The admin pages that the reader may see: path and key of the name.
    #[must_use]
    pub fn admin_sections(&self) -> Vec<(&'static str, &'static str)> {
        let may = |permission| self.user.as_ref().is_some_and(|user| user.person().may(permission));
        let rooms = ADMIN_SECTIONS.iter().filter(|(_, _, permission)| permission.is_none_or(may));
        rooms.map(|(path, key, _)| (*path, *key)).collect()
    }

    /// Whether the page is this one or one below it. What is done to many people is done in their room.
    #[must_use]
    pub fn is_current_section(&self, path: &str) -> bool {
        let path_and_query = self.path_and_query.split('?').next().unwrap_or_default();
        let is_below =
            |path: &str| path_and_query == path || path_and_query.starts_with(&format!("{path}/"));
        let is_bulk = path == "/admin/users" && is_below("/admin/bulk");
        path_and_query == path || is_bulk || (path != "/admin" && is_below(path))
    }

    /// A day, as people of the language write it.
    #[must_use]
    pub fn date(&self, instant: OffsetDateTime) -> String {
        let (year, month, day) = (instant.year(), instant.month(), instant.day());
        match self.language {
            Language::Korean => format!("{year}년 {}월 {day}일", u8::from(month)),
            Language::English => format!("{day} {month} {year}"),
        }
    }

    /// A day and a time of day, as people of the language write them. Where the reader is, nobody
    /// knows, so it is UTC and says so; the script turns it into the reader's own time.
    #[must_use]
    pub fn date_time(&self, instant: OffsetDateTime) -> String {
        let instant = instant.to_offset(UtcOffset::UTC);
        let (day, hour, minute) = (self.date(instant), instant.hour(), instant.minute());
        match self.language {
            Language::Korean => format!("{day} {hour:02}:{minute:02} (UTC)"),
            Language::English => format!("{day}, {hour:02}:{minute:02} UTC"),
        }
    }

    /// How long somebody has to wait, in words.
    #[must_use]
    pub fn wait(&self, wait: Duration) -> String {
        self.language.wait(wait)
    }
}

/// An instant for people and for programs.
#[derive(Debug, Clone)]
pub(crate) struct Timestamp {
    /// In words.
    pub text: String,
    /// As `<time datetime>` has it.
    pub iso: String,
}

impl Timestamp {
    /// An instant in the words of the page's language.
    #[must_use]
    pub(crate) fn new(page: &PageContext, instant: OffsetDateTime) -> Self {
        let seconds = instant.replace_nanosecond(0).unwrap_or(instant);
        Self { text: page.date_time(instant), iso: seconds.format(&Rfc3339).unwrap_or_default() }
    }

    /// The same, where the day says enough.
    #[must_use]
    pub(crate) fn day(page: &PageContext, instant: OffsetDateTime) -> Self {
        Self { text: page.date(instant), ..Self::new(page, instant) }
    }
}

/// A drawn page.
#[derive(Debug)]
pub(crate) struct Page {
    status: Status,
    html: String,
    retry_after: Option<Duration>,
    form_action: Vec<String>,
}

impl Page {
    /// Draws a template.
    pub(crate) fn render(template: &impl Template) -> Result<Self, Error> {
        let html = template.render()?;
        Ok(Self { status: Status::Ok, html, retry_after: None, form_action: Vec::new() })
    }

    /// The same page with another status.
    pub(crate) fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The page, whose forms may lead to these origins.
    pub(crate) fn with_form_action(self, form_action: Vec<String>) -> Self {
        Self { form_action, ..self }
    }

    /// The page, and when to come back (RFC 9110, 10.2.3).
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }
}

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, _: &'r Request<'_>) -> response::Result<'static> {
        let mut response = Response::build();
        response
            .status(self.status)
            .header(ContentType::HTML)
            .sized_body(self.html.len(), std::io::Cursor::new(self.html));
        if !self.form_action.is_empty() {
            let policy = headers::policy_towards(&self.form_action);
            response.raw_header("Content-Security-Policy", policy);
        }
        if let Some(wait) = self.retry_after {
            response.header(retry::after(wait));
        }
        response.ok()
    }
}

/// A long page that goes out compressed. Where an address has a query the page repeats it beside the
/// token of its forms, and the length of what is compressed would tell about that (BREACH): then it
/// goes out as it is.
pub(crate) struct Compressed(pub Page);

impl<'r> Responder<'r, 'static> for Compressed {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let has_query = request.uri().query().is_some();
        if has_query || !statics::takes_gzip(request) {
            return self.0.respond_to(request);
        }
        let body = statics::gzip(self.0.html.as_bytes(), Compression::fast());
        let mut response = self.0.respond_to(request)?;
        response.set_header(Header::new("Content-Encoding", "gzip"));
        response.set_header(Header::new("Vary", "Accept-Encoding"));
        response.set_sized_body(body.len(), std::io::Cursor::new(body));
        Ok(response)
    }
}

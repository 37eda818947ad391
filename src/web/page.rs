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
use super::flash::Notice;
use super::statics;
use crate::config::SignUp;
use crate::context::Ctx;
use crate::http::guards;
use crate::http::guards::{SignedIn, Unknown};
use crate::http::{csrf, headers, locale, next, retry};
use crate::i18n::{Language, of_mail};
use crate::types::Permission;

/// The admin pages, and the permission that each needs.
const ADMIN_ROOMS: [(&str, &str, Option<Permission>); 7] = [
    ("/admin", "admin.nav.dashboard", None),
    ("/admin/users", "admin.nav.users", Some(Permission::UsersView)),
    ("/admin/groups", "admin.nav.groups", Some(Permission::UsersView)),
    ("/admin/social", "admin.nav.social", Some(Permission::SocialChange)),
    ("/admin/audit", "admin.nav.audit", Some(Permission::AuditView)),
    ("/admin/mail", "admin.nav.emails", Some(Permission::AuditView)),
    ("/admin/settings", "admin.nav.settings", Some(Permission::SettingsView)),
];

/// The frame around a page: its language, its reader, and the token for its forms.
#[derive(Debug, Clone)]
pub struct Frame {
    language: Language,
    person: Option<SignedIn>,
    csrf: String,
    here: String,
    notice: Option<Notice>,
    may_join: bool,
    is_mail_delivered: bool,
}

/// Refused when the database cannot say who is reading.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for Frame {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match guards::who(request).await {
            Ok(person) => match Self::around(request, person.clone()) {
                Some((frame, ctx)) => {
                    let notice = Notice::take(request, ctx);
                    Outcome::Success(Self { notice, ..frame })
                }
                None => Outcome::Error((Status::InternalServerError, ())),
            },
            Err(Unknown(status)) => Outcome::Error((*status, ())),
        }
    }
}

impl Frame {
    /// The frame of an error page: a reader who cannot be made out is a visitor.
    pub(crate) async fn of_error(request: &Request<'_>) -> Option<Self> {
        let person = guards::who(request).await.clone().unwrap_or_default();
        Self::around(request, person).map(|(frame, _)| frame)
    }

    fn around<'r>(request: &'r Request<'_>, person: Option<SignedIn>) -> Option<(Self, &'r Ctx)> {
        let ctx = request.rocket().state::<Ctx>()?;
        let here = next::back(&request.uri().to_string());
        let frame = Self {
            language: locale::language(request),
            csrf: csrf::token(request, ctx, person.as_ref()),
            here,
            notice: None,
            may_join: ctx.settings.signup == SignUp::Open,
            is_mail_delivered: ctx.settings.delivers_mail(),
            person,
        };
        Some((frame, ctx))
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
    pub fn tell(&self, key: &'static str, name: &str, value: impl Display) -> String {
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
    pub fn may_join(&self) -> bool {
        self.may_join
    }

    /// Whether people get the e-mails that are written to them.
    #[must_use]
    pub fn is_mail_delivered(&self) -> bool {
        self.is_mail_delivered
    }

    /// The page's own path and query.
    #[must_use]
    pub fn here(&self) -> &str {
        &self.here
    }

    /// The path of a static file.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        statics::path(name)
    }

    /// The reader's address, when signed in.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.person.as_ref().map(SignedIn::email)
    }

    /// The key of the sentence that something is done, on the page after it.
    #[must_use]
    pub fn notice(&self) -> Option<&'static str> {
        self.notice.map(Notice::key)
    }

    /// The reader, when signed in.
    #[must_use]
    pub fn person(&self) -> Option<&SignedIn> {
        self.person.as_ref()
    }

    /// Whether the reader may enter the admin pages.
    #[must_use]
    pub fn may_enter_admin(&self) -> bool {
        self.person.as_ref().is_some_and(|person| {
            let person = person.person();
            person.is_staff || person.is_superuser
        })
    }

    /// The admin pages that the reader may see: path and key of the name.
    #[must_use]
    pub fn admin_rooms(&self) -> Vec<(&'static str, &'static str)> {
        let may =
            |permission| self.person.as_ref().is_some_and(|person| person.person().may(permission));
        let rooms = ADMIN_ROOMS.iter().filter(|(_, _, permission)| permission.is_none_or(may));
        rooms.map(|(path, key, _)| (*path, *key)).collect()
    }

    /// Whether the page is this one or one below it. What is done to many people is done in their room.
    #[must_use]
    pub fn is_in(&self, path: &str) -> bool {
        let here = self.here.split('?').next().unwrap_or_default();
        let is_below = |path: &str| here == path || here.starts_with(&format!("{path}/"));
        let is_bulk = path == "/admin/users" && is_below("/admin/bulk");
        here == path || is_bulk || (path != "/admin" && is_below(path))
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
    pub fn moment(&self, instant: OffsetDateTime) -> String {
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
pub(crate) struct Moment {
    /// In words.
    pub words: String,
    /// As `<time datetime>` has it.
    pub iso: String,
}

impl Moment {
    /// An instant in the words of the frame's language.
    #[must_use]
    pub(crate) fn of(frame: &Frame, instant: OffsetDateTime) -> Self {
        let seconds = instant.replace_nanosecond(0).unwrap_or(instant);
        Self { words: frame.moment(instant), iso: seconds.format(&Rfc3339).unwrap_or_default() }
    }

    /// The same, where the day says enough.
    #[must_use]
    pub(crate) fn day_of(frame: &Frame, instant: OffsetDateTime) -> Self {
        Self { words: frame.date(instant), ..Self::of(frame, instant) }
    }
}

/// A drawn page.
#[derive(Debug)]
pub(crate) struct Page {
    status: Status,
    html: String,
    retry_after: Option<Duration>,
    leads_to: Vec<String>,
}

impl Page {
    /// Draws a template.
    pub(crate) fn draw(template: &impl Template) -> Result<Self, Error> {
        let html = template.render()?;
        Ok(Self { status: Status::Ok, html, retry_after: None, leads_to: Vec::new() })
    }

    /// The same page with another status.
    pub(crate) fn with_status(self, status: Status) -> Self {
        Self { status, ..self }
    }

    /// The page, whose forms may lead to these origins.
    pub(crate) fn leading_to(self, leads_to: Vec<String>) -> Self {
        Self { leads_to, ..self }
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
        if !self.leads_to.is_empty() {
            let policy = headers::policy_towards(&self.leads_to);
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

//! Letters and what became of them.

use askama::Template;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use crate::context::Context;
use crate::flows;
use crate::flows::admin::emails::Retried;
use crate::http::guards::{ChangesUsers, ReadsAudit};
use crate::mail::Kind;
use crate::outbox;
use crate::outbox::{Fate, Logged};
use crate::types::{Permission, RequestInfo};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, retry]
}

/// Letters on a page, which weighs 30 kB at most.
const ON_A_PAGE: usize = 25;

/// The fates: form value and key.
const STATES: [(&str, &str); 4] = [
    ("", "admin.emails.all"),
    ("waiting", "admin.emails.waiting"),
    ("sent", "admin.emails.sent"),
    ("failed", "admin.emails.failed"),
];

#[derive(Template)]
#[template(path = "admin/emails.html")]
struct MailPage {
    page: PageContext,
    state: &'static str,
    states: [(&'static str, &'static str); 4],
    letters: Vec<Shown>,
    may_retry: bool,
    is_newest: bool,
    older: Option<i64>,
}

/// A letter in words.
pub(crate) struct Shown {
    pub id: i64,
    pub recipient: String,
    pub occasion: &'static str,
    pub state: &'static str,
    pub written: Timestamp,
    pub tries: i64,
    pub reason: String,
    /// It has failed, and waits to be tried again.
    pub is_waiting: bool,
}

/// A `state` that there is not shows all, and a `before` that is no number the newest.
#[get("/admin/mail?<state>&<before>")]
async fn index(
    state: Option<&str>,
    before: Option<i64>,
    reader: ReadsAudit,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let (state, fate) = match state {
        Some("waiting") => ("waiting", Some(Fate::Waiting)),
        Some("sent") => ("sent", Some(Fate::Sent)),
        Some("failed") => ("failed", Some(Fate::Failed)),
        _ => ("", None),
    };
    let before = before.filter(|before| *before > 0);
    let mut letters = outbox::list(&ctx.db, fate, before, ON_A_PAGE as u64 + 1).await?;
    let has_older = letters.len() > ON_A_PAGE;
    letters.truncate(ON_A_PAGE);
    let page = MailPage {
        state,
        states: STATES,
        older: letters.last().map(|letter| letter.id).filter(|_| has_older),
        letters: letters.into_iter().map(|letter| show(&page, letter)).collect(),
        may_retry: reader.0.user().may(Permission::UsersChange),
        is_newest: before.is_none(),
        page,
    };
    Page::render(&page)
}

#[post("/admin/mail/<id>/retry", data = "<_sent>")]
async fn retry(
    id: Option<i64>,
    _sent: Submitted<ButtonForm>,
    reader: ChangesUsers,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Redirect, Error> {
    let retried =
        flows::admin::emails::retry(ctx, reader.0.user(), info, id.unwrap_or_default()).await?;
    let flash = match retried {
        Retried::Due => Flash::EmailRetried,
        Retried::NotWaiting => Flash::EmailNotWaiting,
    };
    flash.set(jar, ctx);
    Ok(Redirect::to("/admin/mail"))
}

pub(crate) fn show(page: &PageContext, letter: Logged) -> Shown {
    let state = match letter.fate {
        Fate::Waiting => "admin.emails.waiting",
        Fate::Sent => "admin.emails.sent",
        Fate::Failed => "admin.emails.failed",
    };
    Shown {
        id: letter.id,
        occasion: occasion(Kind::from_stored(&letter.kind)),
        written: Timestamp::new(page, letter.written_at),
        tries: letter.tries,
        is_waiting: letter.fate == Fate::Waiting && !letter.reason.is_empty(),
        recipient: letter.recipient,
        reason: letter.reason,
        state,
    }
}

/// The key of an occasion: a new one does not compile without.
pub(crate) fn occasion(kind: Option<Kind>) -> &'static str {
    let Some(kind) = kind else { return "admin.emails.kind.other" };
    match kind {
        Kind::VerifyEmail => "admin.emails.kind.verify_email",
        Kind::AlreadyJoined => "admin.emails.kind.already_joined",
        Kind::ResetPassword => "admin.emails.kind.reset_password",
        Kind::AccountLocked => "admin.emails.kind.account_locked",
        Kind::PasswordChanged => "admin.emails.kind.password_changed",
        Kind::NewDevice => "admin.emails.kind.new_device",
        Kind::TokenReused => "admin.emails.kind.token_reused",
        Kind::ConfirmNewEmail => "admin.emails.kind.confirm_new_email",
        Kind::AddressInUse => "admin.emails.kind.address_in_use",
        Kind::EmailChanged => "admin.emails.kind.email_changed",
        Kind::DeletionScheduled => "admin.emails.kind.deletion_scheduled",
        Kind::Deleted => "admin.emails.kind.deleted",
        Kind::SocialConnected => "admin.emails.kind.social_connected",
        Kind::Invited => "admin.emails.kind.invited",
        Kind::Test => "admin.emails.kind.test",
    }
}

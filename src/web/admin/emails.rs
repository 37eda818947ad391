//! E-mails and what became of them.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use crate::context::Context;
use crate::flows;
use crate::flows::admin::emails::RetryOutcome;
use crate::http::guards::{ChangesUsers, ReadsAudit};
use crate::mail::EmailKind;
use crate::outbox;
use crate::outbox::{DeliveryStatus, OutboxEntry};
use crate::paths;
use crate::types::Permission;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::page::{Page, PageContext, Timestamp};
use crate::web::request_context::RequestContext;

pub(crate) fn routes() -> Vec<Route> {
    routes![index, retry]
}

/// E-mails on a page, which weighs 30 kB at most.
const PAGE_SIZE: usize = 25;

/// The states: form value and translation key.
const STATES: [(&str, &str); 4] = [
    ("", "admin.emails.all"),
    ("waiting", "admin.emails.waiting"),
    ("sent", "admin.emails.sent"),
    ("failed", "admin.emails.failed"),
];

#[derive(Template)]
#[template(path = "admin/emails.html")]
struct EmailsPage {
    page: PageContext,
    state: &'static str,
    states: [(&'static str, &'static str); 4],
    emails: Vec<EmailRow>,
    may_retry: bool,
    is_newest: bool,
    older: Option<i64>,
}

/// An e-mail in the reader's language.
pub(crate) struct EmailRow {
    pub id: i64,
    pub recipient: String,
    pub kind: &'static str,
    pub state: &'static str,
    pub written: Timestamp,
    pub attempts: i64,
    pub reason: String,
    /// It has failed, and waits to be tried again.
    pub is_waiting: bool,
}

/// Lists the e-mails of a state, newest first. An unknown `state` lists all, and a `before` that is
/// not a number begins with the newest.
#[get("/admin/mail?<state>&<before>")]
async fn index(
    state: Option<&str>,
    before: Option<i64>,
    reader: ReadsAudit,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let (state, status) = match state {
        Some("waiting") => ("waiting", Some(DeliveryStatus::Waiting)),
        Some("sent") => ("sent", Some(DeliveryStatus::Sent)),
        Some("failed") => ("failed", Some(DeliveryStatus::Failed)),
        _ => ("", None),
    };
    let before = before.filter(|before| *before > 0);
    // One more than is shown, to know whether there are more.
    let mut emails = outbox::list(&ctx.db, status, before, PAGE_SIZE as u64 + 1).await?;
    let has_older = emails.len() > PAGE_SIZE;
    emails.truncate(PAGE_SIZE);
    let page = EmailsPage {
        state,
        states: STATES,
        older: emails.last().map(|email| email.id).filter(|_| has_older),
        emails: emails.into_iter().map(|email| row(&page, email)).collect(),
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
    request: RequestContext<'_>,
) -> Result<Redirect, Error> {
    let (ctx, info, id) = (request.context, request.info, id.unwrap_or_default());
    request.flash(match flows::admin::emails::retry(ctx, reader.0.user(), info, id).await? {
        RetryOutcome::Due => Flash::EmailRetried,
        RetryOutcome::NotWaiting => Flash::EmailNotWaiting,
    });
    Ok(Redirect::to(paths::ADMIN_EMAILS))
}

pub(crate) fn row(page: &PageContext, email: OutboxEntry) -> EmailRow {
    let state = match email.status {
        DeliveryStatus::Waiting => "admin.emails.waiting",
        DeliveryStatus::Sent => "admin.emails.sent",
        DeliveryStatus::Failed => "admin.emails.failed",
    };
    EmailRow {
        id: email.id,
        kind: kind_key(EmailKind::from_stored(&email.kind)),
        written: Timestamp::new(page, email.created_at),
        attempts: email.attempts,
        is_waiting: email.status == DeliveryStatus::Waiting && !email.reason.is_empty(),
        recipient: email.recipient,
        reason: email.reason,
        state,
    }
}

/// Returns the translation key of a kind; a new kind does not compile without one.
pub(crate) fn kind_key(kind: Option<EmailKind>) -> &'static str {
    let Some(kind) = kind else { return "admin.emails.kind.other" };
    match kind {
        EmailKind::VerifyEmail => "admin.emails.kind.verify_email",
        EmailKind::AlreadyJoined => "admin.emails.kind.already_joined",
        EmailKind::ResetPassword => "admin.emails.kind.reset_password",
        EmailKind::AccountLocked => "admin.emails.kind.account_locked",
        EmailKind::PasswordChanged => "admin.emails.kind.password_changed",
        EmailKind::NewDevice => "admin.emails.kind.new_device",
        EmailKind::TokenReused => "admin.emails.kind.token_reused",
        EmailKind::ConfirmNewEmail => "admin.emails.kind.confirm_new_email",
        EmailKind::AddressInUse => "admin.emails.kind.address_in_use",
        EmailKind::EmailChanged => "admin.emails.kind.email_changed",
        EmailKind::DeletionScheduled => "admin.emails.kind.deletion_scheduled",
        EmailKind::Deleted => "admin.emails.kind.deleted",
        EmailKind::SocialConnected => "admin.emails.kind.social_connected",
        EmailKind::Invited => "admin.emails.kind.invited",
        EmailKind::Test => "admin.emails.kind.test",
    }
}

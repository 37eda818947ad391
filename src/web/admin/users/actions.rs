//! Actions on one account, each with a page that explains it.
//!
//! A dangerous action needs a recent authentication; the administrator is asked for the password
//! before.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use time::macros::format_description;
use time::{Date, OffsetDateTime};
use validator::Validate;

use super::edit;
use crate::accounts;
use crate::accounts::Account;
use crate::admin::{Actor, AdminAction, AdminError};
use crate::context::Context;
use crate::flows;
use crate::http::guards::{ChangesUsers, DeletesUsers, EndsSessions, SignedIn};
use crate::paths;
pub(crate) use crate::types::number;
use crate::types::{Permission, RequestInfo, UserId, text};
use crate::web::account::{Response, reauthentication};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::raw::{RawForm, RawSubmitted};
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{ButtonForm, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![
        confirm_activate,
        activate,
        confirm_deactivate,
        deactivate,
        confirm_verify,
        verify,
        confirm_end_sessions,
        end_sessions,
        confirm_delete,
        delete,
        confirm_password,
        password,
    ]
}

/// The result of a handler about one account; 403 and 404 are errors.
pub(crate) type HandlerResult = Result<Response, Error>;

/// The longest reason in code points: a sentence or two.
const MAX_REASON: usize = 500;

/// An action as a page offers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserAction {
    Activate,
    Restore,
    Deactivate,
    Verify,
    EndSessions,
    Delete,
    Password,
}

impl UserAction {
    /// Returns the last part of the path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Activate | Self::Restore => "activate",
            Self::Deactivate => "deactivate",
            Self::Verify => "verify",
            Self::EndSessions => "sessions/end",
            Self::Delete => "delete",
            Self::Password => "password",
        }
    }

    /// Returns the keys of the page's title, text and button.
    fn labels(self) -> [&'static str; 3] {
        match self {
            Self::Activate => [
                "admin.user_action.activate.title",
                "admin.user_action.activate.text",
                "admin.user_action.activate.submit",
            ],
            Self::Restore => [
                "admin.user_action.restore.title",
                "admin.user_action.restore.text",
                "admin.user_action.restore.submit",
            ],
            Self::Deactivate => [
                "admin.user_action.deactivate.title",
                "admin.user_action.deactivate.text",
                "admin.user_action.deactivate.submit",
            ],
            Self::Verify => [
                "admin.user_action.verify.title",
                "admin.user_action.verify.text",
                "admin.user_action.verify.submit",
            ],
            Self::EndSessions => [
                "admin.user_action.end_sessions.title",
                "admin.user_action.end_sessions.text",
                "admin.user_action.end_sessions.submit",
            ],
            Self::Delete => [
                "admin.user_action.delete.title",
                "admin.user_action.delete.text",
                "admin.user_action.delete.submit",
            ],
            Self::Password => [
                "admin.user_action.password_reset.title",
                "admin.user_action.password_reset.text",
                "admin.user_action.password_reset.submit",
            ],
        }
    }

    fn flash(self) -> Flash {
        match self {
            Self::Activate | Self::Restore => Flash::UserActivated,
            Self::Deactivate => Flash::UserDeactivated,
            Self::Verify => Flash::UserVerified,
            Self::EndSessions => Flash::UserSessionsEnded,
            Self::Delete => Flash::UserDeleted,
            Self::Password => Flash::UserPasswordLocked,
        }
    }

    /// Returns the key of its label in a list of actions.
    pub(crate) fn name(self) -> &'static str {
        let [title, _, button] = self.labels();
        if self == Self::Password { title } else { button }
    }

    /// Tells whether it needs a recent authentication.
    pub(crate) fn is_dangerous(self) -> bool {
        matches!(self, Self::Deactivate | Self::Delete)
    }
}

#[derive(FromForm)]
struct DeactivateForm {
    #[field(default = String::new())]
    reason: String,
    #[field(default = String::new())]
    until: String,
}

impl RawForm for DeactivateForm {
    const FIELDS: &'static [&'static str] = &["reason", "until"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("reason", &self.reason), ("until", &self.until)]
    }
}

#[derive(FromForm, Validate)]
struct PasswordForm {
    #[field(default = String::new())]
    action: String,
    #[field(default = String::new())]
    send: String,
}

impl RawForm for PasswordForm {
    const FIELDS: &'static [&'static str] = &["action", "send"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("action", &self.action), ("send", &self.send)]
    }
}

#[derive(Template)]
#[template(path = "admin/users/confirm.html")]
struct ConfirmPage {
    page: PageContext,
    form: FormView,
    id: UserId,
    email: String,
    path: &'static str,
    labels: [&'static str; 3],
    has_reason: bool,
    has_password: bool,
    is_dangerous: bool,
}

#[derive(Template)]
#[template(path = "admin/users/link.html")]
struct LinkPage {
    page: PageContext,
    id: UserId,
    email: String,
    url: String,
    is_sent: bool,
}

#[get("/admin/users/<id>/activate")]
async fn confirm_activate(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> HandlerResult {
    confirm(UserAction::Activate, id, &staff.0, page, ctx).await
}

#[post("/admin/users/<id>/activate", data = "<sent>")]
async fn activate(
    id: &str,
    sent: Submitted<ButtonForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    submit(UserAction::Activate, id, &sent, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/deactivate")]
async fn confirm_deactivate(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> HandlerResult {
    confirm(UserAction::Deactivate, id, &staff.0, page, ctx).await
}

#[post("/admin/users/<id>/deactivate", data = "<sent>")]
async fn deactivate(
    id: &str,
    sent: RawSubmitted<DeactivateForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    let (form, now) = (&sent.form, ctx.clock.now());
    let account = find_changeable(id, &staff.0, ctx).await?;
    if !staff.0.has_reauthenticated(now) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let until = parse_until(&form.until, now.date());
    let mut errors = sent.errors(Ok(()));
    if is_reason_malformed(&form.reason) {
        errors.add("reason", "admin.user_action.reason_malformed");
    }
    if let Err(key) = until {
        errors.add("until", key);
    }
    let (true, Ok(until)) = (errors.is_empty(), until) else {
        return rerender(UserAction::Deactivate, &account, form, page, errors.into());
    };
    let (actor, target) = (actor(&staff.0, info), account.user.id);
    let admin_action =
        AdminAction::Deactivate { reason: text::normalized(&form.reason).into_owned(), until };
    let result = flows::admin::user_actions::perform(ctx, actor, target, &admin_action).await;
    respond(UserAction::Deactivate, result, &account, form, &staff.0, (page, ctx, jar))
}

#[get("/admin/users/<id>/verify")]
async fn confirm_verify(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> HandlerResult {
    confirm(UserAction::Verify, id, &staff.0, page, ctx).await
}

#[post("/admin/users/<id>/verify", data = "<sent>")]
async fn verify(
    id: &str,
    sent: Submitted<ButtonForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    submit(UserAction::Verify, id, &sent, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/sessions/end")]
async fn confirm_end_sessions(
    id: &str,
    staff: EndsSessions,
    page: PageContext,
    ctx: &State<Context>,
) -> HandlerResult {
    confirm(UserAction::EndSessions, id, &staff.0, page, ctx).await
}

#[post("/admin/users/<id>/sessions/end", data = "<sent>")]
async fn end_sessions(
    id: &str,
    sent: Submitted<ButtonForm>,
    staff: EndsSessions,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    submit(UserAction::EndSessions, id, &sent, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/delete")]
async fn confirm_delete(
    id: &str,
    staff: DeletesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> HandlerResult {
    confirm(UserAction::Delete, id, &staff.0, page, ctx).await
}

#[post("/admin/users/<id>/delete", data = "<sent>")]
async fn delete(
    id: &str,
    sent: Submitted<ButtonForm>,
    staff: DeletesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    submit(UserAction::Delete, id, &sent, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/password")]
async fn confirm_password(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> HandlerResult {
    confirm(UserAction::Password, id, &staff.0, page, ctx).await
}

/// Creates a link for a new password, or makes the password unusable.
#[post("/admin/users/<id>/password", data = "<sent>")]
async fn password(
    id: &str,
    sent: RawSubmitted<PasswordForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    let form = &sent.form;
    let account = find_changeable(id, &staff.0, ctx).await?;
    let errors = sent.errors(form.validate());
    if !errors.is_empty() {
        return rerender(UserAction::Password, &account, form, page, errors.into());
    }
    let (actor, target) = (actor(&staff.0, info), account.user.id);
    let by_email = matches!(form.send.as_str(), "true" | "on");
    let result = match form.action.as_str() {
        "link" => {
            match flows::admin::user_actions::create_reset_link(ctx, actor, target, by_email).await
            {
                Ok(token) => {
                    let url = edit::reset_url(ctx, &token);
                    let email = account.user.email.as_typed().to_owned();
                    let page = LinkPage { page, id: target, email, url, is_sent: by_email };
                    return Ok(Response::Page(Page::render(&page)?));
                }
                Err(error) => Err(error),
            }
        }
        "unusable" if !staff.0.has_reauthenticated(ctx.clock.now()) => {
            return Ok(Response::Redirect(reauthentication::redirect(&page)));
        }
        "unusable" => flows::admin::user_actions::lock_password(ctx, actor, target).await,
        _ => {
            let rejection = Rejection::on_form("admin.user_action.unknown");
            return rerender(UserAction::Password, &account, form, page, rejection);
        }
    };
    respond(UserAction::Password, result, &account, form, &staff.0, (page, ctx, jar))
}

/// Renders the page of an action.
async fn confirm(
    action: UserAction,
    id: &str,
    staff: &SignedIn,
    page: PageContext,
    ctx: &Context,
) -> HandlerResult {
    let account = find_changeable(id, staff, ctx).await?;
    if action.is_dangerous() && !staff.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    render(action, &account, FormView::empty(""), page).map(Response::Page)
}

/// Does an action whose form has only a button.
async fn submit(
    action: UserAction,
    id: &str,
    form: &ButtonForm,
    staff: &SignedIn,
    (page, info, ctx, jar): (PageContext, &RequestInfo, &Context, &CookieJar<'_>),
) -> HandlerResult {
    let account = find_changeable(id, staff, ctx).await?;
    if action.is_dangerous() && !staff.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let (actor, target) = (actor(staff, info), account.user.id);
    let admin_action = match action {
        UserAction::Activate | UserAction::Restore => AdminAction::Activate,
        UserAction::Verify => AdminAction::VerifyEmail,
        UserAction::EndSessions => AdminAction::EndSessions,
        UserAction::Delete => AdminAction::Delete,
        UserAction::Deactivate | UserAction::Password => return Err(Status::NotFound.into()),
    };
    let result = flows::admin::user_actions::perform(ctx, actor, target, &admin_action).await;
    respond(action, result, &account, form, staff, (page, ctx, jar))
}

/// Redirects to the account, or renders the page again with what is wrong.
fn respond(
    action: UserAction,
    result: Result<(), AdminError>,
    account: &Account,
    form: &impl RawForm,
    staff: &SignedIn,
    (page, ctx, jar): (PageContext, &Context, &CookieJar<'_>),
) -> HandlerResult {
    match result {
        Ok(()) => {
            action.flash().set(jar, ctx);
            Ok(Response::Redirect(redirect_to_user(account.user.id, staff)))
        }
        Err(error) => rerender(action, account, form, page, rejection(error)?),
    }
}

/// Returns the message for an action that was refused; 403 and 404 have pages of their own.
pub(crate) fn rejection(error: AdminError) -> Result<Rejection, Error> {
    match error {
        AdminError::NotFound => Err(Status::NotFound.into()),
        AdminError::Forbidden => Err(Status::Forbidden.into()),
        AdminError::OwnAccount => Ok(Rejection::on_form("admin.user_action.yourself")),
        AdminError::LastSuperuser => Ok(Rejection::on_form("admin.user_action.last_superuser")),
        AdminError::Broken(error) => Err(error.into()),
    }
}

fn rerender(
    action: UserAction,
    account: &Account,
    form: &impl RawForm,
    page: PageContext,
    why: Rejection,
) -> HandlerResult {
    let form = FormView::filled(&page, form, &why.errors);
    Ok(Response::Page(why.apply_to(render(action, account, form, page)?)))
}

fn render(
    action: UserAction,
    account: &Account,
    form: FormView,
    page: PageContext,
) -> Result<Page, Error> {
    let is_restore =
        action == UserAction::Activate && !account.is_active && account.deletes_at.is_some();
    let action = if is_restore { UserAction::Restore } else { action };
    Page::render(&ConfirmPage {
        page,
        form,
        id: account.user.id,
        email: account.user.email.as_typed().to_owned(),
        path: action.path(),
        labels: action.labels(),
        has_reason: action == UserAction::Deactivate,
        has_password: action == UserAction::Password,
        is_dangerous: action.is_dangerous(),
    })
}

/// Returns the account of a path, if the reader may change it.
pub(crate) async fn find_changeable(
    id: &str,
    staff: &SignedIn,
    ctx: &Context,
) -> Result<Account, Error> {
    let account = find(id, ctx).await?;
    if is_protected(&account, staff) { Err(Status::Forbidden.into()) } else { Ok(account) }
}

/// Returns the account of a path. Only the canonical form of an id has an account.
pub(crate) async fn find(id: &str, ctx: &Context) -> Result<Account, Error> {
    let id = number(id).ok_or(Status::NotFound)?;
    let account = accounts::find_by_id(&ctx.db, UserId(id)).await?;
    account.ok_or_else(|| Status::NotFound.into())
}

/// Tells whether the account is a superuser's and the reader is none; the use case checks again.
pub(crate) fn is_protected(account: &Account, staff: &SignedIn) -> bool {
    account.user.is_superuser && !staff.user().is_superuser
}

pub(crate) fn actor<'a>(staff: &'a SignedIn, info: &'a RequestInfo) -> Actor<'a> {
    Actor { user: staff.user(), info }
}

/// Redirects to the account, or to the dashboard when the reader may not see accounts.
pub(crate) fn redirect_to_user(id: UserId, staff: &SignedIn) -> Redirect {
    let may_see = staff.user().may(Permission::UsersView);
    Redirect::to(if may_see { paths::admin_user(id) } else { paths::ADMIN.to_owned() })
}

pub(crate) fn is_reason_malformed(reason: &str) -> bool {
    reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control)
}

/// Returns the instant at which the day ends; `None` for an empty text.
pub(crate) fn parse_until(
    typed: &str,
    today: Date,
) -> Result<Option<OffsetDateTime>, &'static str> {
    if typed.is_empty() {
        return Ok(None);
    }
    let day = Date::parse(typed, format_description!("[year]-[month]-[day]")).ok();
    let is_iso = typed.len() == 10 && typed.as_bytes()[0].is_ascii_digit();
    let day = day.filter(|_| is_iso).ok_or("admin.user_action.until_malformed")?;
    if day < today {
        return Err("admin.user_action.until_past");
    }
    let next = day.next_day().ok_or("admin.user_action.until_malformed")?;
    Ok(Some(next.midnight().assume_utc()))
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_suspension_lasts_until_its_day_is_over() {
        let today = date!(2026 - 03 - 01);

        assert_eq!(parse_until("", today), Ok(None));
        assert_eq!(parse_until("2026-03-01", today), Ok(Some(datetime!(2026-03-02 00:00 UTC))));
        assert_eq!(parse_until("2026-02-28", today), Err("admin.user_action.until_past"));
        for typed in ["2026-2-28", "tomorrow", "2026-02-30", "+026-03-01", "9999-12-31"] {
            assert_eq!(
                parse_until(typed, today),
                Err("admin.user_action.until_malformed"),
                "{typed}"
            );
        }
    }

    #[test]
    fn an_account_has_one_path() {
        assert_eq!(number("7"), Some(7));
        for text in ["", "0", "-7", "+7", "07", "7 ", "x", "9223372036854775808"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}

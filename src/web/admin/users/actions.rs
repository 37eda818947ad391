//! What is done to one account, each act with a page that says what it will do.
//!
//! Whoever does something dangerous has given the password within the last minutes, or is asked for
//! it on the way.

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
pub(crate) use crate::types::number;
use crate::types::{Permission, RequestInfo, UserId, text};
use crate::web::account::{Response, reauthentication};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{ButtonForm, Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![
        ask_activate,
        activate,
        ask_deactivate,
        deactivate,
        ask_verify,
        verify,
        ask_end_sessions,
        end_sessions,
        ask_delete,
        delete,
        ask_password,
        password,
    ]
}

/// What becomes of a request about one account: 403 or 404 where there is nothing to answer.
pub(crate) type Outcome = Result<Response, Error>;

/// Longest reason, in code points: a sentence or two.
const MAX_REASON: usize = 500;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Activate,
    BringBack,
    Deactivate,
    Verify,
    EndSessions,
    Delete,
    Password,
}

impl Act {
    /// The last part of the path.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Activate | Self::BringBack => "activate",
            Self::Deactivate => "deactivate",
            Self::Verify => "verify",
            Self::EndSessions => "sessions/end",
            Self::Delete => "delete",
            Self::Password => "password",
        }
    }

    /// The keys of the page's title, text and button.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::Activate => [
                "admin.user_action.activate.title",
                "admin.user_action.activate.text",
                "admin.user_action.activate.submit",
            ],
            Self::BringBack => [
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
            Self::Activate | Self::BringBack => Flash::UserActivated,
            Self::Deactivate => Flash::UserDeactivated,
            Self::Verify => Flash::UserVerified,
            Self::EndSessions => Flash::UserSessionsEnded,
            Self::Delete => Flash::UserDeleted,
            Self::Password => Flash::UserPasswordLocked,
        }
    }

    /// The key of its name beside other acts.
    pub(crate) fn name(self) -> &'static str {
        let [title, _, button] = self.words();
        if self == Self::Password { title } else { button }
    }

    /// Whether the password is asked for again.
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

impl Form for DeactivateForm {
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

impl Form for PasswordForm {
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
    words: [&'static str; 3],
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
async fn ask_activate(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Outcome {
    ask(Act::Activate, id, &staff.0, page, ctx).await
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
) -> Outcome {
    done(Act::Activate, id, &sent.form, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/deactivate")]
async fn ask_deactivate(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Outcome {
    ask(Act::Deactivate, id, &staff.0, page, ctx).await
}

#[post("/admin/users/<id>/deactivate", data = "<sent>")]
async fn deactivate(
    id: &str,
    sent: Submitted<DeactivateForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Outcome {
    let (form, now) = (&sent.form, ctx.clock.now());
    let account = reach(id, &staff.0, ctx).await?;
    if !staff.0.has_reauthenticated(now) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let until = until(&form.until, now.date());
    let mut errors = sent.errors(Ok(()));
    if is_too_long_or_odd(&form.reason) {
        errors.add("reason", "admin.user_action.reason_malformed");
    }
    if let Err(key) = until {
        errors.add("until", key);
    }
    let (true, Ok(until)) = (errors.is_empty(), until) else {
        return rerender(Act::Deactivate, &account, form, page, errors.into());
    };
    let (actor, whom) = (actor(&staff.0, info), account.user.id);
    let action =
        AdminAction::Deactivate { reason: text::normalized(&form.reason).into_owned(), until };
    let result = flows::admin::user_actions::perform(ctx, actor, whom, &action).await;
    settle(Act::Deactivate, result, &account, form, &staff.0, (page, ctx, jar))
}

#[get("/admin/users/<id>/verify")]
async fn ask_verify(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Outcome {
    ask(Act::Verify, id, &staff.0, page, ctx).await
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
) -> Outcome {
    done(Act::Verify, id, &sent.form, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/sessions/end")]
async fn ask_end_sessions(
    id: &str,
    staff: EndsSessions,
    page: PageContext,
    ctx: &State<Context>,
) -> Outcome {
    ask(Act::EndSessions, id, &staff.0, page, ctx).await
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
) -> Outcome {
    done(Act::EndSessions, id, &sent.form, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/delete")]
async fn ask_delete(
    id: &str,
    staff: DeletesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Outcome {
    ask(Act::Delete, id, &staff.0, page, ctx).await
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
) -> Outcome {
    done(Act::Delete, id, &sent.form, &staff.0, (page, info, ctx, jar)).await
}

#[get("/admin/users/<id>/password")]
async fn ask_password(
    id: &str,
    staff: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Outcome {
    ask(Act::Password, id, &staff.0, page, ctx).await
}

/// A link for a new password, or none that works any more.
#[post("/admin/users/<id>/password", data = "<sent>")]
async fn password(
    id: &str,
    sent: Submitted<PasswordForm>,
    staff: ChangesUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Outcome {
    let form = &sent.form;
    let account = reach(id, &staff.0, ctx).await?;
    let errors = sent.errors(form.validate());
    if !errors.is_empty() {
        return rerender(Act::Password, &account, form, page, errors.into());
    }
    let (actor, whom) = (actor(&staff.0, info), account.user.id);
    let by_email = matches!(form.send.as_str(), "true" | "on");
    let result = match form.action.as_str() {
        "link" => {
            match flows::admin::user_actions::create_reset_link(ctx, actor, whom, by_email).await {
                Ok(token) => {
                    let url = edit::reset_url(ctx, &token);
                    let email = account.user.email.as_typed().to_owned();
                    let page = LinkPage { page, id: whom, email, url, is_sent: by_email };
                    return Ok(Response::Page(Page::render(&page)?));
                }
                Err(error) => Err(error),
            }
        }
        "unusable" if !staff.0.has_reauthenticated(ctx.clock.now()) => {
            return Ok(Response::Redirect(reauthentication::redirect(&page)));
        }
        "unusable" => flows::admin::user_actions::lock_password(ctx, actor, whom).await,
        _ => {
            let rejection = Rejection::on_form("admin.user_action.unknown");
            return rerender(Act::Password, &account, form, page, rejection);
        }
    };
    settle(Act::Password, result, &account, form, &staff.0, (page, ctx, jar))
}

/// The page of an act.
async fn ask(act: Act, id: &str, staff: &SignedIn, page: PageContext, ctx: &Context) -> Outcome {
    let account = reach(id, staff, ctx).await?;
    if act.is_dangerous() && !staff.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    render(act, &account, FormView::empty(""), page).map(Response::Page)
}

/// Does what has nothing but a button.
async fn done(
    act: Act,
    id: &str,
    form: &ButtonForm,
    staff: &SignedIn,
    (page, info, ctx, jar): (PageContext, &RequestInfo, &Context, &CookieJar<'_>),
) -> Outcome {
    let account = reach(id, staff, ctx).await?;
    if act.is_dangerous() && !staff.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let (actor, whom) = (actor(staff, info), account.user.id);
    let action = match act {
        Act::Activate | Act::BringBack => AdminAction::Activate,
        Act::Verify => AdminAction::VerifyEmail,
        Act::EndSessions => AdminAction::EndSessions,
        Act::Delete => AdminAction::Delete,
        Act::Deactivate | Act::Password => return Err(Status::NotFound.into()),
    };
    let result = flows::admin::user_actions::perform(ctx, actor, whom, &action).await;
    settle(act, result, &account, form, staff, (page, ctx, jar))
}

/// Goes back to the account's page, or says why nothing was done.
fn settle(
    act: Act,
    result: Result<(), AdminError>,
    account: &Account,
    form: &impl Form,
    staff: &SignedIn,
    (page, ctx, jar): (PageContext, &Context, &CookieJar<'_>),
) -> Outcome {
    match result {
        Ok(()) => {
            act.flash().set(jar, ctx);
            Ok(Response::Redirect(back_to(account.user.id, staff)))
        }
        Err(error) => rerender(act, account, form, page, rejection(error)?),
    }
}

/// What a page says about an act that was not done; 403 and 404 have pages of their own.
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
    act: Act,
    account: &Account,
    form: &impl Form,
    page: PageContext,
    why: Rejection,
) -> Outcome {
    let form = FormView::filled(&page, form, &why.errors);
    Ok(Response::Page(why.apply_to(render(act, account, form, page)?)))
}

fn render(act: Act, account: &Account, form: FormView, page: PageContext) -> Result<Page, Error> {
    let is_back = act == Act::Activate && !account.is_active && account.deletes_at.is_some();
    let act = if is_back { Act::BringBack } else { act };
    Page::render(&ConfirmPage {
        page,
        form,
        id: account.user.id,
        email: account.user.email.as_typed().to_owned(),
        path: act.path(),
        words: act.words(),
        has_reason: act == Act::Deactivate,
        has_password: act == Act::Password,
        is_dangerous: act.is_dangerous(),
    })
}

/// The account of a path, for somebody who is going to touch it.
pub(crate) async fn reach(id: &str, staff: &SignedIn, ctx: &Context) -> Result<Account, Error> {
    let account = find(id, ctx).await?;
    if is_above(&account, staff) { Err(Status::Forbidden.into()) } else { Ok(account) }
}

/// The account of a path. Whatever is not exactly a number of one is no account's.
pub(crate) async fn find(id: &str, ctx: &Context) -> Result<Account, Error> {
    let id = number(id).ok_or(Status::NotFound)?;
    let account = accounts::find_by_id(&ctx.db, UserId(id)).await?;
    account.ok_or_else(|| Status::NotFound.into())
}

/// Only a superuser touches a superuser; the flow asks again beside the act.
pub(crate) fn is_above(account: &Account, staff: &SignedIn) -> bool {
    account.user.is_superuser && !staff.user().is_superuser
}

pub(crate) fn actor<'a>(staff: &'a SignedIn, info: &'a RequestInfo) -> Actor<'a> {
    Actor { user: staff.user(), info }
}

/// The account's page, for those who may see it.
pub(crate) fn back_to(id: UserId, staff: &SignedIn) -> Redirect {
    let may_see = staff.user().may(Permission::UsersView);
    Redirect::to(if may_see { format!("/admin/users/{id}") } else { "/admin".to_owned() })
}

pub(crate) fn is_too_long_or_odd(reason: &str) -> bool {
    reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control)
}

/// The instant at which a day is over; an empty one means no day.
pub(crate) fn until(typed: &str, today: Date) -> Result<Option<OffsetDateTime>, &'static str> {
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

        assert_eq!(until("", today), Ok(None));
        assert_eq!(until("2026-03-01", today), Ok(Some(datetime!(2026-03-02 00:00 UTC))));
        assert_eq!(until("2026-02-28", today), Err("admin.user_action.until_past"));
        for typed in ["2026-2-28", "tomorrow", "2026-02-30", "+026-03-01", "9999-12-31"] {
            assert_eq!(until(typed, today), Err("admin.user_action.until_malformed"), "{typed}");
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

//! Actions on one account, each with a page that explains it.
//!
//! A dangerous action needs a recent authentication; the administrator is asked for the password
//! before.

use askama::Template;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, get, post, routes};

use super::edit;
use super::suspension::SuspensionFields;
use crate::accounts;
use crate::accounts::Account;
use crate::admin::{Actor, AdminAction, AdminError};
use crate::context::Context;
use crate::flows;
use crate::http::guards::{ChangesUsers, DeletesUsers, EndsSessions, SignedIn};
use crate::paths;
pub(crate) use crate::types::number;
use crate::types::{Permission, RequestInfo, UserId};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{ButtonForm, Field, Form, FormPage, FormView, Hidden, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

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

form! {
    struct DeactivateForm {
        suspension: SuspensionFields,
    }
}

form! {
    struct PasswordForm {
        /// `link` or `unusable`.
        action: Hidden,
        send: Field<bool>,
    }
}

/// What the page of an action needs beside its form.
struct ActionSubject {
    action: UserAction,
    account: Account,
}

/// The forms on the page of an action.
trait ActionForm: Form {}

impl ActionForm for ButtonForm {}
impl ActionForm for DeactivateForm {}
impl ActionForm for PasswordForm {}

impl<F: ActionForm> FormPage<ActionSubject> for F {
    async fn render(
        form: FormView,
        ActionSubject { action, account }: &ActionSubject,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let is_restore =
            *action == UserAction::Activate && !account.is_active && account.deletes_at.is_some();
        let action = if is_restore { UserAction::Restore } else { *action };
        Page::render(&ConfirmPage {
            page: &request.page,
            form,
            id: account.user.id,
            email: account.user.email.as_typed(),
            path: action.path(),
            labels: action.labels(),
            has_reason: action == UserAction::Deactivate,
            has_password: action == UserAction::Password,
            is_dangerous: action.is_dangerous(),
        })
    }
}

#[derive(Template)]
#[template(path = "admin/users/confirm.html")]
struct ConfirmPage<'a> {
    page: &'a PageContext,
    form: FormView,
    id: UserId,
    email: &'a str,
    path: &'static str,
    labels: [&'static str; 3],
    has_reason: bool,
    has_password: bool,
    is_dangerous: bool,
}

#[derive(Template)]
#[template(path = "admin/users/link.html")]
struct LinkPage<'a> {
    page: &'a PageContext,
    id: UserId,
    email: &'a str,
    url: String,
    is_sent: bool,
}

#[get("/admin/users/<id>/activate")]
async fn confirm_activate(
    id: &str,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(UserAction::Activate, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/activate", data = "<form>")]
async fn activate(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(UserAction::Activate, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/verify")]
async fn confirm_verify(
    id: &str,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(UserAction::Verify, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/verify", data = "<form>")]
async fn verify(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(UserAction::Verify, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/sessions/end")]
async fn confirm_end_sessions(
    id: &str,
    staff: EndsSessions,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(UserAction::EndSessions, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/sessions/end", data = "<form>")]
async fn end_sessions(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: EndsSessions,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(UserAction::EndSessions, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/delete")]
async fn confirm_delete(
    id: &str,
    staff: DeletesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(UserAction::Delete, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/delete", data = "<form>")]
async fn delete(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: DeletesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(UserAction::Delete, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/deactivate")]
async fn confirm_deactivate(
    id: &str,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(UserAction::Deactivate, id, &staff.0, &request).await
}

#[get("/admin/users/<id>/password")]
async fn confirm_password(
    id: &str,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(UserAction::Password, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/deactivate", data = "<form>")]
async fn deactivate(
    id: &str,
    form: Submitted<DeactivateForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    let account = find_changeable(id, &staff.0, request.context).await?;
    request.require_reauthentication(&staff.0)?;
    let subject = ActionSubject { action: UserAction::Deactivate, account };
    let action = form.suspension.action().filter(|_| form.errors.is_empty());
    let Some(action) = action else { return form.rerender_on(&subject, &request).await };
    let (actor, target) = (actor(&staff.0, request.info), subject.account.user.id);
    let result = flows::admin::user_actions::perform(request.context, actor, target, &action).await;
    respond(result, subject, &form, &staff.0, &request).await
}

/// Creates a link for a new password, or makes the password unusable.
#[post("/admin/users/<id>/password", data = "<form>")]
async fn password(
    id: &str,
    form: Submitted<PasswordForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    let (ctx, staff) = (request.context, staff.0);
    let account = find_changeable(id, &staff, ctx).await?;
    let subject = ActionSubject { action: UserAction::Password, account };
    let Some(by_email) = form.send.value().filter(|_| form.errors.is_empty()) else {
        return form.rerender_on(&subject, &request).await;
    };
    let (actor, target) = (actor(&staff, request.info), subject.account.user.id);
    let result = match &*form.action {
        "link" => {
            match flows::admin::user_actions::create_reset_link(ctx, actor, target, by_email).await
            {
                Ok(token) => {
                    let url = edit::reset_url(ctx, &token);
                    let email = subject.account.user.email.as_typed();
                    let page = &request.page;
                    let page = LinkPage { page, id: target, email, url, is_sent: by_email };
                    return Ok(Response::Page(Page::render(&page)?));
                }
                Err(error) => Err(error),
            }
        }
        "unusable" => {
            request.require_reauthentication(&staff)?;
            flows::admin::user_actions::lock_password(ctx, actor, target).await
        }
        _ => {
            let rejection = Rejection::on_form("admin.user_action.unknown");
            return form.reject_on(&subject, rejection, &request).await;
        }
    };
    respond(result, subject, &form, &staff, &request).await
}

/// Renders the page of an action.
async fn confirm(
    action: UserAction,
    id: &str,
    staff: &SignedIn,
    request: &RequestContext<'_>,
) -> HandlerResult {
    let account = find_changeable(id, staff, request.context).await?;
    if action.is_dangerous() {
        request.require_reauthentication(staff)?;
    }
    let subject = ActionSubject { action, account };
    ButtonForm::render(FormView::empty(""), &subject, request).await.map(Response::Page)
}

/// Does an action whose form has only a button.
async fn submit(
    action: UserAction,
    id: &str,
    form: &Submitted<ButtonForm>,
    staff: &SignedIn,
    request: &RequestContext<'_>,
) -> HandlerResult {
    let account = find_changeable(id, staff, request.context).await?;
    if action.is_dangerous() {
        request.require_reauthentication(staff)?;
    }
    let (actor, target) = (actor(staff, request.info), account.user.id);
    let admin_action = match action {
        UserAction::Activate | UserAction::Restore => AdminAction::Activate,
        UserAction::Verify => AdminAction::VerifyEmail,
        UserAction::EndSessions => AdminAction::EndSessions,
        UserAction::Delete => AdminAction::Delete,
        UserAction::Deactivate | UserAction::Password => return Err(Status::NotFound.into()),
    };
    let result =
        flows::admin::user_actions::perform(request.context, actor, target, &admin_action).await;
    respond(result, ActionSubject { action, account }, form, staff, request).await
}

/// Redirects to the account, or renders the page again with what is wrong.
async fn respond<F: ActionForm>(
    result: Result<(), AdminError>,
    subject: ActionSubject,
    form: &Submitted<F>,
    staff: &SignedIn,
    request: &RequestContext<'_>,
) -> HandlerResult {
    match result {
        Ok(()) => {
            request.flash(subject.action.flash());
            Ok(Response::Redirect(redirect_to_user(subject.account.user.id, staff)))
        }
        Err(error) => form.reject_on(&subject, rejection(error)?, request).await,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_path() {
        assert_eq!(number("7"), Some(7));
        for text in ["", "0", "-7", "+7", "07", "7 ", "x", "9223372036854775808"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}

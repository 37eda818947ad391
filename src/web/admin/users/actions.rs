//! Actions on one account, each with a page that explains it.
//!
//! A dangerous action needs a recent authentication; the administrator is asked for the password
//! before. Holds only the routes; [`AdminAction`] says what an action is.

use askama::Template;
use rocket::{Route, get, post, routes};

use super::suspension_fields::SuspensionFields;
use super::target::{HandlerResult, actor, find_changeable, redirect_to_user, rejection};
use crate::accounts::Account;
use crate::admin::{ActionRequest, AdminAction, AdminError};
use crate::flows;
use crate::http::guards::{ChangesUsers, DeletesUsers, EndsSessions, SignedIn};
use crate::paths;
use crate::types::UserId;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Form, FormPage, FormView, Submitted, form};
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
    ]
}

/// Returns the path of the page that asks for confirmation.
pub(crate) fn path(action: AdminAction, id: UserId) -> String {
    let last = match action {
        AdminAction::Activate => "activate",
        AdminAction::Deactivate => "deactivate",
        AdminAction::VerifyEmail => "verify",
        AdminAction::EndSessions => return paths::admin_end_sessions(id),
        AdminAction::Delete => "delete",
    };
    paths::admin_user_action(id, last)
}

/// Returns the keys of the page's title, text and button. Activating an account that staff deleted
/// has words of its own.
pub(crate) fn labels(action: AdminAction, account: &Account) -> [&'static str; 3] {
    let is_deleted = !account.is_active && account.deletes_at.is_some();
    if action == AdminAction::Activate && is_deleted {
        return [
            "admin.user_action.restore.title",
            "admin.user_action.restore.text",
            "admin.user_action.restore.submit",
        ];
    }
    action.spec().labels
}

fn flash(action: AdminAction) -> Flash {
    match action {
        AdminAction::Activate => Flash::UserActivated,
        AdminAction::Deactivate => Flash::UserDeactivated,
        AdminAction::VerifyEmail => Flash::UserVerified,
        AdminAction::EndSessions => Flash::UserSessionsEnded,
        AdminAction::Delete => Flash::UserDeleted,
    }
}

form! {
    struct DeactivateForm {
        suspension: SuspensionFields,
    }
}

/// What the page of an action needs beside its form.
struct ActionSubject {
    action: AdminAction,
    account: Account,
}

/// The forms on the page of an action.
trait ActionForm: Form {}

impl ActionForm for ButtonForm {}
impl ActionForm for DeactivateForm {}

impl<F: ActionForm> FormPage<ActionSubject> for F {
    async fn render(
        form: FormView,
        ActionSubject { action, account }: &ActionSubject,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let action = *action;
        Page::render(&ConfirmPage {
            page: &request.page,
            form,
            id: account.user.id,
            email: account.user.email.as_typed(),
            path: path(action, account.user.id),
            labels: labels(action, account),
            has_suspension: action == AdminAction::Deactivate,
            is_dangerous: action.is_dangerous(),
        })
    }
}

#[derive(Template)]
#[template(path = "admin/users/actions.html")]
struct ConfirmPage<'a> {
    page: &'a PageContext,
    form: FormView,
    id: UserId,
    email: &'a str,
    path: String,
    labels: [&'static str; 3],
    has_suspension: bool,
    is_dangerous: bool,
}

#[get("/admin/users/<id>/activate")]
async fn confirm_activate(
    id: &str,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(AdminAction::Activate, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/activate", data = "<form>")]
async fn activate(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(AdminAction::Activate, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/verify")]
async fn confirm_verify(
    id: &str,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(AdminAction::VerifyEmail, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/verify", data = "<form>")]
async fn verify(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(AdminAction::VerifyEmail, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/sessions/end")]
async fn confirm_end_sessions(
    id: &str,
    staff: EndsSessions,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(AdminAction::EndSessions, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/sessions/end", data = "<form>")]
async fn end_sessions(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: EndsSessions,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(AdminAction::EndSessions, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/delete")]
async fn confirm_delete(
    id: &str,
    staff: DeletesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(AdminAction::Delete, id, &staff.0, &request).await
}

#[post("/admin/users/<id>/delete", data = "<form>")]
async fn delete(
    id: &str,
    form: Submitted<ButtonForm>,
    staff: DeletesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    submit(AdminAction::Delete, id, &form, &staff.0, &request).await
}

#[get("/admin/users/<id>/deactivate")]
async fn confirm_deactivate(
    id: &str,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    confirm(AdminAction::Deactivate, id, &staff.0, &request).await
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
    let subject = ActionSubject { action: AdminAction::Deactivate, account };
    let suspension = form.suspension.value().filter(|_| form.errors.is_empty());
    let Some(suspension) = suspension else { return form.rerender_on(&subject, &request).await };
    let action = ActionRequest { action: AdminAction::Deactivate, suspension };
    let (actor, target) = (actor(&staff.0, request.info), subject.account.user.id);
    let result = flows::admin::user_actions::perform(request.context, actor, target, &action).await;
    respond(result, subject, &form, &staff.0, &request).await
}

/// Renders the page of an action.
async fn confirm(
    action: AdminAction,
    id: &str,
    staff: &SignedIn,
    request: &RequestContext<'_>,
) -> HandlerResult {
    let account = find_changeable(id, staff, request.context).await?;
    if action.is_dangerous() {
        // Before the form, because the way there would lose what was typed.
        request.require_reauthentication(staff)?;
    }
    let subject = ActionSubject { action, account };
    ButtonForm::render(FormView::empty(""), &subject, request).await.map(Response::Page)
}

/// Does an action whose form has only a button.
async fn submit(
    action: AdminAction,
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
    let result =
        flows::admin::user_actions::perform(request.context, actor, target, &action.into()).await;
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
            request.flash(flash(subject.action));
            Ok(Response::Redirect(redirect_to_user(subject.account.user.id, staff)))
        }
        Err(error) => form.reject_on(&subject, rejection(error)?, request).await,
    }
}

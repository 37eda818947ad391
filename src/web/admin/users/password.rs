//! The password of another user: a link for a new one, or making the current one unusable.

use askama::Template;
use rocket::{Route, get, post, routes};

use super::target::{HandlerResult, actor, find_changeable, redirect_to_user, rejection};
use crate::accounts::Account;
use crate::context::Context;
use crate::flows;
use crate::http::guards::ChangesUsers;
use crate::paths;
use crate::types::{Secret, UserId};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, Hidden, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

/// The keys of the page's title, text and button.
pub(crate) const LABELS: [&str; 3] = [
    "admin.user_action.password_reset.title",
    "admin.user_action.password_reset.text",
    "admin.user_action.password_reset.submit",
];

form! {
    struct PasswordForm {
        /// `link` or `unusable`.
        action: Hidden,
        send: Field<bool>,
    }
}

impl FormPage<Account> for PasswordForm {
    async fn render(
        form: FormView,
        account: &Account,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        Page::render(&PasswordPage {
            page: &request.page,
            form,
            id: account.user.id,
            email: account.user.email.as_typed(),
            labels: LABELS,
        })
    }
}

/// Returns the URL at which a token sets a new password.
pub(crate) fn reset_url(ctx: &Context, token: &Secret) -> String {
    let site = ctx.settings.public_url.as_str().trim_end_matches('/');
    format!("{site}{}", paths::password_reset_link(token.expose()))
}

#[derive(Template)]
#[template(path = "admin/users/password.html")]
struct PasswordPage<'a> {
    page: &'a PageContext,
    form: FormView,
    id: UserId,
    email: &'a str,
    labels: [&'static str; 3],
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

#[get("/admin/users/<id>/password")]
async fn new(id: &str, staff: ChangesUsers, request: RequestContext<'_>) -> HandlerResult {
    let account = find_changeable(id, &staff.0, request.context).await?;
    PasswordForm::render(FormView::empty(""), &account, &request).await.map(Response::Page)
}

/// Creates a link for a new password, or makes the password unusable.
#[post("/admin/users/<id>/password", data = "<form>")]
async fn create(
    id: &str,
    form: Submitted<PasswordForm>,
    staff: ChangesUsers,
    request: RequestContext<'_>,
) -> HandlerResult {
    let (ctx, staff) = (request.context, staff.0);
    let account = find_changeable(id, &staff, ctx).await?;
    let Some(by_email) = form.send.value().filter(|_| form.errors.is_empty()) else {
        return form.rerender_on(&account, &request).await;
    };
    let (actor, target) = (actor(&staff, request.info), account.user.id);
    let result = match &*form.action {
        "link" => {
            match flows::admin::user_actions::create_reset_link(ctx, actor, target, by_email).await
            {
                Ok(token) => {
                    // Rendered without a redirect: only a hash of the token is stored.
                    let url = reset_url(ctx, &token);
                    let email = account.user.email.as_typed();
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
            return form.reject_on(&account, rejection, &request).await;
        }
    };
    match result {
        Ok(()) => {
            request.flash(Flash::UserPasswordLocked);
            Ok(Response::Redirect(redirect_to_user(target, &staff)))
        }
        Err(error) => form.reject_on(&account, rejection(error)?, &request).await,
    }
}

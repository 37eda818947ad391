//! The page for deleting one's own account.
//!
//! It asks for the password; the use case schedules the deletion and sends the e-mail.

use askama::Template;
use rocket::{Responder, Route, get, post, routes};

use super::logout::LoggedOut;
use super::reauthentication_prompt::ReauthenticationPrompt;
use crate::flows;
use crate::flows::account::account_deletion::DeletionError;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::types::Password;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

form! {
    struct AccountDeletionForm {
        password: Field<Password>,
    }
}

#[derive(Template)]
#[template(path = "account/account_deletion.html")]
struct AccountDeletionPage<'a> {
    page: &'a PageContext,
    form: FormView,
    asks_password: bool,
}

impl FormPage<ReauthenticationPrompt> for AccountDeletionForm {
    async fn render(
        form: FormView,
        prompt: &ReauthenticationPrompt,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let asks_password = prompt.asks_password();
        Page::render(&AccountDeletionPage { page: &request.page, form, asks_password })
    }
}

#[derive(Responder)]
enum DeletionResponse {
    Form(Response),
    LoggedOut(LoggedOut),
}

#[get("/account/delete")]
async fn new(signed_in: SignedIn, request: RequestContext<'_>) -> Result<Page, Error> {
    let prompt =
        ReauthenticationPrompt::of(request.context, &signed_in, paths::ACCOUNT_DELETION).await?;
    AccountDeletionForm::render(FormView::empty(""), &prompt, &request).await
}

#[post("/account/delete", data = "<form>")]
async fn create(
    form: Submitted<AccountDeletionForm>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<DeletionResponse, Error> {
    let (ctx, user) = (request.context, signed_in.user());
    let prompt = ReauthenticationPrompt::of(ctx, &signed_in, paths::ACCOUNT_DELETION).await?;
    let errors = prompt.errors(&form.errors);
    if !errors.is_empty() {
        let page = form.reject_on(&prompt, errors.into(), &request).await;
        return page.map(DeletionResponse::Form);
    }
    let password = prompt.password(&form.password);
    match flows::account::account_deletion::schedule(ctx, user, password, request.info).await {
        Ok(_) => {
            request.flash(Flash::DeletionScheduled);
            Ok(DeletionResponse::LoggedOut(LoggedOut::of(request.cookies, ctx)))
        }
        Err(error) => {
            let page = form.reject_on(&prompt, rejection(error, &request)?, &request).await;
            page.map(DeletionResponse::Form)
        }
    }
}

fn rejection(error: DeletionError, request: &RequestContext<'_>) -> Result<Rejection, Error> {
    match error {
        DeletionError::LastSuperuser => Ok(Rejection::on_form("account_deletion.last_superuser")),
        DeletionError::NotProved(error) => {
            Rejection::not_authenticated(&request.page, "password", error)
        }
        DeletionError::Database(error) => Err(error.into()),
    }
}

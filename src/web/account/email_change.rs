//! The page for changing the account's e-mail address.
//!
//! It only requests the change: the link in the e-mail to the new address makes it (`email_links`).

use askama::Template;
use rocket::{Route, get, post, routes};

use super::reauthentication_prompt::ReauthenticationPrompt;
use crate::flows;
use crate::flows::account::email_change::EmailChangeError;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::types::{Email, Password};
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
    struct EmailChangeForm {
        email: Field<Email>,
        password: Field<Password>,
    }
}

#[derive(Template)]
#[template(path = "account/email_change.html")]
struct EmailChangePage<'a> {
    page: &'a PageContext,
    form: FormView,
    asks_password: bool,
}

impl FormPage<ReauthenticationPrompt> for EmailChangeForm {
    async fn render(
        form: FormView,
        prompt: &ReauthenticationPrompt,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let asks_password = prompt.asks_password();
        Page::render(&EmailChangePage { page: &request.page, form, asks_password })
    }
}

#[get("/account/email/change")]
async fn new(signed_in: SignedIn, request: RequestContext<'_>) -> Result<Page, Error> {
    let prompt =
        ReauthenticationPrompt::of(request.context, &signed_in, paths::EMAIL_CHANGE).await?;
    EmailChangeForm::render(FormView::empty(""), &prompt, &request).await
}

#[post("/account/email/change", data = "<form>")]
async fn create(
    form: Submitted<EmailChangeForm>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let prompt =
        ReauthenticationPrompt::of(request.context, &signed_in, paths::EMAIL_CHANGE).await?;
    let errors = prompt.errors(&form.errors);
    let Some(new) = form.email.value().filter(|_| errors.is_empty()) else {
        return form.reject_on(&prompt, errors.into(), &request).await;
    };
    let password = prompt.password(&form.password);
    let (ctx, user) = (request.context, signed_in.user());
    match flows::account::email_change::request(ctx, user, password, new, request.info).await {
        Ok(()) => {
            request.flash(Flash::EmailChangeRequested);
            Ok(Response::redirect_to(paths::MYPAGE))
        }
        Err(error) => form.reject_on(&prompt, rejection(error, &request)?, &request).await,
    }
}

fn rejection(error: EmailChangeError, request: &RequestContext<'_>) -> Result<Rejection, Error> {
    match error {
        EmailChangeError::LocalEmail => Ok(Rejection::on_field("email", "email.local")),
        EmailChangeError::Same => Ok(Rejection::on_field("email", "email.same")),
        EmailChangeError::NotProved(error) => {
            Rejection::not_authenticated(&request.page, "password", error)
        }
        EmailChangeError::Database(error) => Err(error.into()),
    }
}

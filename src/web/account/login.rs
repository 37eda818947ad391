//! The log-in page.
//!
//! The use case decides about the log-in. This module only chooses the sentence for a failure,
//! which must be the same for every failure that a stranger can cause.

use askama::Template;
use rocket::{Route, get, post, routes};

use super::login_methods;
use super::login_methods::LoginMethod;
use crate::config::EmailVerification;
use crate::flows;
use crate::flows::account::login::{Credentials, Login, LoginError};
use crate::sessions::AuthError;
use crate::types::{Email, Password};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, Hidden, ParsedForm, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

form! {
    struct LoginForm {
        email: Field<Email>,
        password: Field<Password>,
        next: Hidden,
    }
}

impl ParsedForm for LoginForm {
    type Parsed = Credentials;

    fn parsed(&self) -> Option<Credentials> {
        Some(Credentials { email: self.email.value()?, password: self.password.value()? })
    }
}

#[derive(Template)]
#[template(path = "account/login.html")]
struct LoginPage<'a> {
    page: &'a PageContext,
    form: FormView,
    login_methods: Vec<LoginMethod>,
}

impl FormPage for LoginForm {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        let (login_methods, origins) = login_methods::list(request).await?;
        let page = LoginPage { page: &request.page, form, login_methods };
        Ok(Page::render(&page)?.with_form_action(origins))
    }
}

#[get("/account/login?<next>")]
async fn new(next: Option<&str>, request: RequestContext<'_>) -> Result<Response, Error> {
    let next = next.unwrap_or_default();
    if request.user().is_some() {
        return Ok(Response::redirect_to_next(next));
    }
    LoginForm::render(FormView::empty(next), &(), &request).await.map(Response::Page)
}

#[post("/account/login", data = "<form>")]
async fn create(
    form: Submitted<LoginForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let Some(credentials) = form.parsed() else { return form.rerender(&request).await };
    let session = request.session();
    match flows::account::login::with_password(request.context, credentials, session, request.info)
        .await
    {
        Ok(Login { tokens, deletion_cancelled }) => {
            request.log_in(&tokens);
            if deletion_cancelled {
                request.flash(Flash::DeletionCancelled);
            }
            Ok(Response::redirect_to_next(&form.next))
        }
        Err(error) => form.reject(rejection(error, &request)?, &request).await,
    }
}

fn rejection(error: LoginError, request: &RequestContext<'_>) -> Result<Rejection, Error> {
    // The sentence is the same for everybody, so it must also help a user who has yet to open the
    // e-mail.
    let is_mandatory = request.context.settings.email_verification == EmailVerification::Mandatory;
    match error {
        LoginError::Unverified => Ok(Rejection::on_form("login.wrong_or_unverified")),
        LoginError::Inactive(inactive) => Ok(Rejection::inactive(&request.page, inactive)),
        LoginError::NotProved(AuthError::WrongCredentials) if is_mandatory => {
            Ok(Rejection::on_form("login.wrong_or_unverified"))
        }
        LoginError::NotProved(AuthError::WrongCredentials) => Ok(Rejection::on_form("login.wrong")),
        LoginError::NotProved(AuthError::TooSoon(wait)) => {
            Ok(Rejection::too_soon(&request.page, "login.too_soon", wait))
        }
        LoginError::NotProved(error) => {
            Rejection::not_authenticated(&request.page, "password", error)
        }
    }
}

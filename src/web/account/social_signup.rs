//! The page that asks for an e-mail address when the provider shares none.

use askama::Template;
use rocket::http::Status;
use rocket::{Route, get, post, routes};

use super::oauth_state::PendingSocialSignup;
use super::social_login::{failure_response, signed_in_response};
use crate::flows;
use crate::flows::account::social_login::{SocialLogin, SocialLoginError};
use crate::http::cookies;
use crate::social as providers;
use crate::types::Email;
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, ParsedForm, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

form! {
    struct SocialSignupForm {
        email: Field<Email>,
    }
}

impl ParsedForm for SocialSignupForm {
    type Parsed = Email;

    fn parsed(&self) -> Option<Email> {
        self.email.value()
    }
}

#[derive(Template)]
#[template(path = "account/social_signup.html")]
struct SocialSignupPage<'a> {
    page: &'a PageContext,
    form: FormView,
}

impl FormPage for SocialSignupForm {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        Page::render(&SocialSignupPage { page: &request.page, form })
    }
}

#[get("/account/join/address")]
async fn new(request: RequestContext<'_>) -> Result<Page, Error> {
    pending_signup(&request)?;
    SocialSignupForm::render(FormView::empty(""), &(), &request).await
}

#[post("/account/join/address", data = "<form>")]
async fn create(
    form: Submitted<SocialSignupForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let pending = pending_signup(&request)?;
    let Some(email) = form.parsed() else { return form.rerender(&request).await };
    let (ctx, jar) = (request.context, request.cookies);
    let provider = providers::find_active(ctx, &pending.slug).await?.ok_or(Status::NotFound)?;
    let login = SocialLogin {
        provider: &provider,
        provider_user: &pending.provider_user(),
        typed_email: Some(&email),
        language: request.page.language(),
        before: request.session(),
    };
    match flows::account::social_login::login_or_signup(ctx, login, request.info).await {
        Ok(outcome) => {
            cookies::remove_pending_social_signup(jar, ctx);
            Ok(signed_in_response(&outcome, &pending.next, &request))
        }
        Err(SocialLoginError::EmailTaken) => {
            form.reject(Rejection::on_field("email", "social_login.email_taken"), &request).await
        }
        Err(SocialLoginError::LocalEmail) => {
            form.reject(Rejection::on_field("email", "email.local"), &request).await
        }
        Err(error) => failure_response(provider.slug(), error, &request).await,
    }
}

fn pending_signup(request: &RequestContext<'_>) -> Result<PendingSocialSignup, Error> {
    let pending = PendingSocialSignup::from_cookie(request.context, request.cookies);
    pending.ok_or_else(|| Status::NotFound.into())
}

//! The page that asks for an e-mail address when the provider shares none.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::Response;
use super::oauth_state::PendingSocialSignup;
use super::social_login::{failure_response, signed_in_response};
use crate::context::Context;
use crate::flows;
use crate::flows::account::social_login::{SocialLogin, SocialLoginError};
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::social as providers;
use crate::types::{Email, RequestInfo};
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

#[derive(FromForm, Validate)]
struct SocialSignupForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
}

impl Form for SocialSignupForm {
    const FIELDS: &'static [&'static str] = &["email"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

#[derive(Template)]
#[template(path = "account/social_signup.html")]
struct SocialSignupPage {
    page: PageContext,
    form: FormView,
}

#[get("/account/join/address")]
fn new(page: PageContext, ctx: &State<Context>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    PendingSocialSignup::from_cookie(ctx, jar).ok_or(Status::NotFound)?;
    Page::render(&SocialSignupPage { page, form: FormView::empty("") })
}

#[post("/account/join/address", data = "<sent>")]
async fn create(
    sent: Submitted<SocialSignupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let pending = PendingSocialSignup::from_cookie(ctx, jar).ok_or(Status::NotFound)?;
    let errors = sent.errors(sent.form.validate());
    if !errors.is_empty() {
        return rerender(page, &sent.form, &errors.into());
    }
    let email = Email::parse(&sent.form.email).expect("the rules hold, and they are this parser");
    let provider = providers::find_active(ctx, &pending.slug).await?.ok_or(Status::NotFound)?;
    let login = SocialLogin {
        provider: &provider,
        provider_user: &pending.provider_user(),
        typed_email: Some(&email),
        language: page.language(),
        before: page.user().map(SignedIn::session),
    };
    match flows::account::social_login::sign_in_or_register(ctx, login, info).await {
        Ok(outcome) => {
            cookies::remove_pending_social_signup(jar, ctx);
            Ok(signed_in_response(&outcome, &pending.next, ctx, jar))
        }
        Err(SocialLoginError::EmailTaken) => {
            rerender(page, &sent.form, &Rejection::on_field("email", "social_login.email_taken"))
        }
        Err(SocialLoginError::LocalEmail) => {
            rerender(page, &sent.form, &Rejection::on_field("email", "email.local"))
        }
        Err(error) => failure_response(page, ctx, provider.slug(), error).await,
    }
}

fn rerender(
    page: PageContext,
    form: &SocialSignupForm,
    rejection: &Rejection,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(Page::render(&SocialSignupPage { page, form })?)))
}

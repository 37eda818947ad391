//! The log-in page.
//!
//! The use case decides about the log-in. This module only chooses the sentence for a failure,
//! which must be the same for every failure that a stranger can cause.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::login_methods;
use super::login_methods::LoginMethod;
use super::{MY_PAGE, Response};
use crate::config::EmailVerification;
use crate::context::Context;
use crate::flows;
use crate::flows::account::login::{Credentials, LoginError};
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::sessions::AuthError;
use crate::types::{Email, Password, RequestInfo};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

#[derive(FromForm, Validate)]
struct LoginForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
    #[field(default = String::new())]
    next: String,
}

impl Form for LoginForm {
    const FIELDS: &'static [&'static str] = &["email", "password"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }

    fn next(&self) -> &str {
        &self.next
    }
}

impl LoginForm {
    /// Returns the parsed values of a form that has passed its rules.
    fn parsed(&self) -> Credentials {
        let holds = "the rules hold, and they are these parsers";
        Credentials {
            email: Email::parse(&self.email).expect(holds),
            password: Password::parse(&self.password).expect(holds),
        }
    }
}

#[derive(Template)]
#[template(path = "account/login.html")]
struct LoginPage {
    page: PageContext,
    form: FormView,
    login_methods: Vec<LoginMethod>,
}

#[get("/account/login?<next>")]
async fn new(
    next: Option<&str>,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let next = next.unwrap_or_default();
    if page.user().is_some() {
        return Ok(Response::Redirect(Redirect::to(next::after_login(next, MY_PAGE))));
    }
    render(page, FormView::empty(next), ctx).await.map(Response::Page)
}

#[post("/account/login", data = "<sent>")]
async fn create(
    sent: Submitted<LoginForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let errors = sent.errors(sent.form.validate());
    if !errors.is_empty() {
        return rerender(page, &sent.form, &errors.into(), ctx).await;
    }
    let before = page.user().map(SignedIn::session);
    let rejection =
        match flows::account::login::with_password(ctx, sent.form.parsed(), before, info).await {
            Ok(flows::account::login::Login { tokens, deletion_cancelled }) => {
                cookies::sign_in(jar, ctx, &tokens);
                if deletion_cancelled {
                    Flash::DeletionCancelled.set(jar, ctx);
                }
                let to = next::after_login(&sent.form.next, MY_PAGE);
                return Ok(Response::Redirect(Redirect::to(to)));
            }
            // The sentence is the same for everybody, so it must also help a user who has yet to
            // open the e-mail.
            Err(LoginError::Unverified) => Rejection::on_form("login.wrong_or_unverified"),
            Err(LoginError::Inactive(inactive)) => Rejection::inactive(&page, inactive),
            Err(LoginError::NotProved(error)) => match error {
                AuthError::WrongCredentials => match ctx.settings.email_verification {
                    EmailVerification::Mandatory => Rejection::on_form("login.wrong_or_unverified"),
                    _ => Rejection::on_form("login.wrong"),
                },
                AuthError::TooSoon(wait) => Rejection::too_soon(&page, "login.too_soon", wait),
                AuthError::Closed => Rejection::locked(),
                AuthError::Busy(full) => return Err(full.into()),
                AuthError::Broken(error) => return Err(error.into()),
            },
        };
    rerender(page, &sent.form, &rejection, ctx).await
}

async fn rerender(
    page: PageContext,
    form: &LoginForm,
    rejection: &Rejection,
    ctx: &Context,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, ctx).await?)))
}

async fn render(page: PageContext, form: FormView, ctx: &Context) -> Result<Page, Error> {
    let (login_methods, origins) = login_methods::list(ctx, &page).await?;
    Ok(Page::render(&LoginPage { page, form, login_methods })?.with_form_action(origins))
}

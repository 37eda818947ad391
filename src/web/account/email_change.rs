//! The page for changing the account's e-mail address.
//!
//! It only requests the change: the link in the e-mail to the new address makes it (`email_links`).

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::reauthenticated::ReauthenticationPrompt;
use super::{MY_PAGE, Response};
use crate::context::Context;
use crate::flows;
use crate::flows::account::email_change::EmailChangeError;
use crate::http::guards::SignedIn;
use crate::types::{Email, RequestInfo};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

/// The page's path.
const HERE: &str = "/account/email/change";

#[derive(FromForm, Validate)]
struct EmailChangeForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
}

impl Form for EmailChangeForm {
    const FIELDS: &'static [&'static str] = &["email", "password"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

#[derive(Template)]
#[template(path = "account/email_change.html")]
struct EmailChangePage {
    page: PageContext,
    form: FormView,
    asks_password: bool,
}

#[get("/account/email/change")]
async fn new(
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    match ReauthenticationPrompt::of(ctx, &signed_in, HERE).await? {
        Ok(prompt) => render(page, FormView::empty(""), prompt).map(Response::Page),
        Err(way) => Ok(Response::Redirect(way)),
    }
}

#[post("/account/email/change", data = "<sent>")]
async fn create(
    sent: Submitted<EmailChangeForm>,
    signed_in: SignedIn,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let form = &sent.form;
    let prompt = match ReauthenticationPrompt::of(ctx, &signed_in, HERE).await? {
        Ok(prompt) => prompt,
        Err(way) => return Ok(Response::Redirect(way)),
    };
    let errors = sent.errors(prompt.filter(form.validate()));
    if !errors.is_empty() {
        return rerender(page, form, &errors.into(), prompt);
    }
    let new = Email::parse(&form.email).expect("the rules hold, and they are this parser");
    let password = prompt.password(&form.password);
    let rejection =
        match flows::account::email_change::request(ctx, signed_in.user(), password, new, info)
            .await
        {
            Ok(()) => {
                Flash::EmailChangeRequested.set(jar, ctx);
                return Ok(Response::Redirect(Redirect::to(MY_PAGE)));
            }
            Err(EmailChangeError::LocalEmail) => Rejection::on_field("email", "email.local"),
            Err(EmailChangeError::Same) => Rejection::on_field("email", "email.same"),
            Err(EmailChangeError::NotProved(error)) => {
                Rejection::not_authenticated(&page, "password", error)?
            }
            Err(EmailChangeError::Broken(error)) => return Err(error.into()),
        };
    rerender(page, form, &rejection, prompt)
}

fn rerender(
    page: PageContext,
    form: &EmailChangeForm,
    rejection: &Rejection,
    prompt: ReauthenticationPrompt,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, prompt)?)))
}

fn render(
    page: PageContext,
    form: FormView,
    prompt: ReauthenticationPrompt,
) -> Result<Page, Error> {
    Page::render(&EmailChangePage { page, form, asks_password: prompt.asks_password() })
}

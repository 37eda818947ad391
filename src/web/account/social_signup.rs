//! An address for somebody whom a provider knows, and of whom it tells none.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::Answer;
use super::oauth_state::Newcomer;
use super::social_login::{failed, welcomed};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::social_login::{Guest, SocialError};
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::social as providers;
use crate::types::{Caller, Email};
use crate::web::error::Error;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

#[derive(FromForm, Validate)]
struct AddressForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
}

impl Form for AddressForm {
    const FIELDS: &'static [&'static str] = &["email"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

#[derive(Template)]
#[template(path = "account/social_signup.html")]
struct AddressPage {
    frame: Frame,
    form: FormView,
}

#[get("/account/join/address")]
fn new(frame: Frame, ctx: &State<Ctx>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    Newcomer::in_browser(ctx, jar).ok_or(Status::NotFound)?;
    Page::draw(&AddressPage { frame, form: FormView::empty("") })
}

#[post("/account/join/address", data = "<sent>")]
async fn create(
    sent: Submitted<AddressForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let newcomer = Newcomer::in_browser(ctx, jar).ok_or(Status::NotFound)?;
    let complaints = sent.complaints(sent.form.validate());
    if !complaints.is_empty() {
        return again(frame, &sent.form, &complaints.into());
    }
    let email = Email::parse(&sent.form.email).expect("the rules hold, and they are this parser");
    let provider = providers::find_active(ctx, &newcomer.slug).await?.ok_or(Status::NotFound)?;
    let guest = Guest {
        provider: &provider,
        known: &newcomer.known(),
        typed: Some(&email),
        language: frame.language(),
        before: frame.person().map(SignedIn::session),
    };
    match flows::account::social_login::welcome(ctx, guest, caller).await {
        Ok(arrived) => {
            cookies::drop_newcomer(jar, ctx);
            Ok(welcomed(&arrived, &newcomer.next, ctx, jar))
        }
        Err(SocialError::EmailTaken) => {
            again(frame, &sent.form, &Refusal::about("email", "social_login.email_taken"))
        }
        Err(SocialError::LocalEmail) => {
            again(frame, &sent.form, &Refusal::about("email", "email.local"))
        }
        Err(error) => failed(frame, error),
    }
}

fn again(frame: Frame, form: &AddressForm, refusal: &Refusal) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(Page::draw(&AddressPage { frame, form })?)))
}

//! An address for somebody whom a provider knows, and of whom it tells none.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::away::Newcomer;
use super::social::{failed, welcomed};
use super::{Answer, rules};
use crate::ctx::Ctx;
use crate::flows::social::{self, Guest, SocialError};
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::social as providers;
use crate::types::{Caller, Email};
use crate::web::error::Error;
use crate::web::form::{Form, FormView, Submitted};
use crate::web::page::{Frame, Page};
use crate::web::refusal::Refusal;

pub(super) fn routes() -> Vec<Route> {
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
#[template(path = "account/address.html")]
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
    match social::welcome(ctx, guest, caller).await {
        Ok(arrived) => {
            cookies::drop_newcomer(jar, ctx);
            Ok(welcomed(&arrived, &newcomer.next, ctx, jar))
        }
        Err(SocialError::EmailTaken) => {
            again(frame, &sent.form, &Refusal::about("email", "provider.taken"))
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

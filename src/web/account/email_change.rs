//! Asking to move the account to another address.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::reauthenticated::Asked;
use super::{Answer, MY_PAGE};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::email_change::AskError;
use crate::http::guards::SignedIn;
use crate::types::{Caller, Email};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

/// The page itself.
const HERE: &str = "/account/email/change";

#[derive(FromForm, Validate)]
struct EmailForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
}

impl Form for EmailForm {
    const FIELDS: &'static [&'static str] = &["email", "password"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

#[derive(Template)]
#[template(path = "account/email_change.html")]
struct EmailPage {
    frame: Frame,
    form: FormView,
    asks_password: bool,
}

#[get("/account/email/change")]
async fn new(signed_in: SignedIn, frame: Frame, ctx: &State<Ctx>) -> Result<Answer, Error> {
    match Asked::of(ctx, &signed_in, HERE).await? {
        Ok(asked) => draw(frame, FormView::empty(""), asked).map(Answer::Shown),
        Err(way) => Ok(Answer::Gone(way)),
    }
}

#[post("/account/email/change", data = "<sent>")]
async fn create(
    sent: Submitted<EmailForm>,
    signed_in: SignedIn,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let form = &sent.form;
    let asked = match Asked::of(ctx, &signed_in, HERE).await? {
        Ok(asked) => asked,
        Err(way) => return Ok(Answer::Gone(way)),
    };
    let complaints = sent.complaints(asked.rules(form.validate()));
    if !complaints.is_empty() {
        return again(frame, form, &complaints.into(), asked);
    }
    let new = Email::parse(&form.email).expect("the rules hold, and they are this parser");
    let password = asked.password(&form.password);
    let refusal =
        match flows::account::email_change::ask(ctx, signed_in.person(), password, new, caller)
            .await
        {
            Ok(()) => {
                Notice::EmailChangeAsked.say(jar, ctx);
                return Ok(Answer::Gone(Redirect::to(MY_PAGE)));
            }
            Err(AskError::LocalEmail) => Refusal::about("email", "email.local"),
            Err(AskError::Same) => Refusal::about("email", "email.same"),
            Err(AskError::NotProved(error)) => Refusal::not_proved(&frame, "password", error)?,
            Err(AskError::Broken(error)) => return Err(error.into()),
        };
    again(frame, form, &refusal, asked)
}

fn again(frame: Frame, form: &EmailForm, refusal: &Refusal, asked: Asked) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, asked)?)))
}

fn draw(frame: Frame, form: FormView, asked: Asked) -> Result<Page, Error> {
    Page::draw(&EmailPage { frame, form, asks_password: asked.is_password() })
}

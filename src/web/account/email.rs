//! Asking to move the account to another address.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::{Answer, MY_PAGE, rules};
use crate::ctx::Ctx;
use crate::flows::email_change::{self, AskError};
use crate::http::guards::SignedIn;
use crate::types::{Caller, Email, Password};
use crate::web::error::Error;
use crate::web::form::{Form, FormView, Submitted};
use crate::web::notice::Notice;
use crate::web::page::{Frame, Page};
use crate::web::refusal::Refusal;

pub(super) fn routes() -> Vec<Route> {
    routes![new, create]
}

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
#[template(path = "account/email.html")]
struct EmailPage {
    frame: Frame,
    form: FormView,
}

#[get("/account/email/change")]
fn new(_signed_in: SignedIn, frame: Frame) -> Result<Page, Error> {
    Page::draw(&EmailPage { frame, form: FormView::empty("") })
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
    let complaints = sent.complaints(form.validate());
    if !complaints.is_empty() {
        return again(frame, form, &complaints.into());
    }
    let holds = "the rules hold, and they are these parsers";
    let new = Email::parse(&form.email).expect(holds);
    let password = Password::parse(&form.password).expect(holds);
    let current = &signed_in.person().email;
    let refusal = match email_change::ask(ctx, current, password, new, caller).await {
        Ok(()) => {
            Notice::EmailChangeAsked.say(jar, ctx);
            return Ok(Answer::Gone(Redirect::to(MY_PAGE)));
        }
        Err(AskError::Same) => Refusal::about("email", "email.same"),
        Err(AskError::NotProved(error)) => Refusal::not_proved(&frame, "password", error)?,
        Err(AskError::Broken(error)) => return Err(error.into()),
    };
    again(frame, form, &refusal)
}

fn again(frame: Frame, form: &EmailForm, refusal: &Refusal) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(Page::draw(&EmailPage { frame, form })?)))
}

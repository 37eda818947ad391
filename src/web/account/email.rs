//! Asking to move the account to another address.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::{Answer, MY_PAGE, rules};
use crate::ctx::Ctx;
use crate::flows::email_change::{self, AskError};
use crate::types::{Caller, Email, Password};
use crate::web::cookies;
use crate::web::error::Error;
use crate::web::form::{Complaint, Complaints, Form, FormView, Submitted};
use crate::web::guards::SignedIn;
use crate::web::notice::Notice;
use crate::web::page::{Frame, Page};

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
        return again(frame, form, &complaints).map(Answer::Shown);
    }
    let holds = "the rules hold, and they are these parsers";
    let new = Email::parse(&form.email).expect(holds);
    let password = Password::parse(&form.password).expect(holds);
    match email_change::ask(ctx, &signed_in.person().email, password, new, caller).await {
        Ok(()) => {
            cookies::say(jar, ctx, Notice::EmailChangeAsked);
            Ok(Answer::Gone(Redirect::to(MY_PAGE)))
        }
        Err(AskError::Same) => {
            let same = Complaints::about("email", [Complaint::new("email.same")]);
            again(frame, form, &same).map(Answer::Shown)
        }
        Err(AskError::Wrong) => {
            again(frame, form, &super::wrong_password("password")).map(Answer::Shown)
        }
        Err(AskError::TooSoon(wait)) => {
            let soon = super::too_soon(&frame, wait);
            let page = again(frame, form, &soon)?.with_status(Status::TooManyRequests);
            Ok(Answer::Shown(page.retry_after(wait)))
        }
        Err(AskError::Busy(full)) => Err(full.into()),
        Err(AskError::Broken(error)) => Err(error.into()),
    }
}

fn again(frame: Frame, form: &EmailForm, complaints: &Complaints) -> Result<Page, Error> {
    let form = FormView::again(&frame, form, complaints);
    Ok(Page::draw(&EmailPage { frame, form })?.with_status(Status::UnprocessableEntity))
}

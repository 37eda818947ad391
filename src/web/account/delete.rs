//! Leaving.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::{Responder, Route, State, get, post, routes};
use validator::Validate;

use super::logout::LoggedOut;
use super::rules;
use crate::ctx::Ctx;
use crate::flows::deletion::{self, LeaveError};
use crate::http::guards::SignedIn;
use crate::types::{Caller, Password};
use crate::web::error::Error;
use crate::web::form::{Form, FormView, Submitted};
use crate::web::notice::Notice;
use crate::web::page::{Frame, Page};
use crate::web::refusal::Refusal;

pub(super) fn routes() -> Vec<Route> {
    routes![new, create]
}

#[derive(FromForm, Validate)]
struct DeleteForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
}

impl Form for DeleteForm {
    const FIELDS: &'static [&'static str] = &["password"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/delete.html")]
struct DeletePage {
    frame: Frame,
    form: FormView,
}

#[derive(Responder)]
#[expect(clippy::large_enum_variant, reason = "one is made per form, and it is moved once")]
enum Answer {
    Shown(Page),
    Left(LoggedOut),
}

#[get("/account/delete")]
fn new(_signed_in: SignedIn, frame: Frame) -> Result<Page, Error> {
    Page::draw(&DeletePage { frame, form: FormView::empty("") })
}

#[post("/account/delete", data = "<sent>")]
async fn create(
    sent: Submitted<DeleteForm>,
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
    let holds = "the rules hold, and they are this parser";
    let password = Password::parse(&form.password).expect(holds);
    let refusal = match deletion::ask(ctx, &signed_in.person().email, password, caller).await {
        Ok(_) => {
            Notice::Leaving.say(jar, ctx);
            return Ok(Answer::Left(LoggedOut::of(jar, ctx)));
        }
        Err(LeaveError::LastSuperuser) => Refusal::of_all("delete.last_superuser"),
        Err(LeaveError::NotProved(error)) => Refusal::not_proved(&frame, "password", error)?,
        Err(LeaveError::Broken(error)) => return Err(error.into()),
    };
    again(frame, form, &refusal)
}

fn again(frame: Frame, form: &DeleteForm, refusal: &Refusal) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(Page::draw(&DeletePage { frame, form })?)))
}

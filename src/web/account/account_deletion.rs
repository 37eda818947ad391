//! Leaving.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, post, routes};
use validator::Validate;

use super::logout::LoggedOut;
use super::reauthenticated::Asked;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::account_deletion::LeaveError;
use crate::http::guards::SignedIn;
use crate::types::Caller;
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
const HERE: &str = "/account/delete";

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
#[template(path = "account/account_deletion.html")]
struct DeletePage {
    frame: Frame,
    form: FormView,
    asks_password: bool,
}

#[derive(Responder)]
enum Answer {
    Shown(Page),
    Gone(Redirect),
    Left(LoggedOut),
}

#[get("/account/delete")]
async fn new(signed_in: SignedIn, frame: Frame, ctx: &State<Ctx>) -> Result<Answer, Error> {
    match Asked::of(ctx, &signed_in, HERE).await? {
        Ok(asked) => draw(frame, FormView::empty(""), asked).map(Answer::Shown),
        Err(way) => Ok(Answer::Gone(way)),
    }
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
    let asked = match Asked::of(ctx, &signed_in, HERE).await? {
        Ok(asked) => asked,
        Err(way) => return Ok(Answer::Gone(way)),
    };
    let complaints = sent.complaints(asked.rules(form.validate()));
    if !complaints.is_empty() {
        return again(frame, form, &complaints.into(), asked);
    }
    let password = asked.password(&form.password);
    let refusal = match flows::account::account_deletion::ask(
        ctx,
        signed_in.person(),
        password,
        caller,
    )
    .await
    {
        Ok(_) => {
            Notice::Leaving.say(jar, ctx);
            return Ok(Answer::Left(LoggedOut::of(jar, ctx)));
        }
        Err(LeaveError::LastSuperuser) => Refusal::of_all("account_deletion.last_superuser"),
        Err(LeaveError::NotProved(error)) => Refusal::not_proved(&frame, "password", error)?,
        Err(LeaveError::Broken(error)) => return Err(error.into()),
    };
    again(frame, form, &refusal, asked)
}

fn again(
    frame: Frame,
    form: &DeleteForm,
    refusal: &Refusal,
    asked: Asked,
) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, asked)?)))
}

fn draw(frame: Frame, form: FormView, asked: Asked) -> Result<Page, Error> {
    Page::draw(&DeletePage { frame, form, asks_password: asked.is_password() })
}

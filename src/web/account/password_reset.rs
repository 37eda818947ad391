//! Choosing a new password without the old one.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::Answer;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::password_reset::ResetError;
use crate::http::cookies;
use crate::types::{Caller, Email, Password, Secret};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create, sent, arrive, edit, update, update_at_once]
}

#[derive(FromForm, Validate)]
struct AskForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
}

impl Form for AskForm {
    const FIELDS: &'static [&'static str] = &["email"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

#[derive(FromForm, Validate)]
struct ResetForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    new_password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "new_password1", code = "password.differs"))]
    new_password2: String,
}

impl Form for ResetForm {
    const FIELDS: &'static [&'static str] = &["new_password1", "new_password2"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/password_reset.html")]
struct AskPage {
    frame: Frame,
    form: FormView,
}

#[derive(Template)]
#[template(path = "account/password_reset_new.html")]
struct ResetPage {
    frame: Frame,
    form: FormView,
    min_length: u8,
}

#[get("/account/password/reset")]
fn new(frame: Frame) -> Result<Page, Error> {
    Page::draw(&AskPage { frame, form: FormView::empty("") })
}

#[post("/account/password/reset", data = "<sent>")]
async fn create(
    sent: Submitted<AskForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Answer, Error> {
    let complaints = sent.complaints(sent.form.validate());
    if !complaints.is_empty() {
        return ask_again(frame, &sent.form, &complaints.into());
    }
    let email = Email::parse(&sent.form.email).expect("the rules hold, and they are this parser");
    match flows::account::password_reset::ask(ctx, email, frame.language(), caller).await {
        Ok(()) => Ok(Answer::Gone(Redirect::to("/account/password/sent"))),
        Err(error) => {
            let refusal = Refusal::not_now(&frame, error)?;
            ask_again(frame, &sent.form, &refusal)
        }
    }
}

fn ask_again(frame: Frame, form: &AskForm, refusal: &Refusal) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(Page::draw(&AskPage { frame, form })?)))
}

/// Everybody who asked arrives here, whatever the address.
#[get("/account/password/sent")]
fn sent(frame: Frame) -> Result<Page, Error> {
    message_page::draw(frame, ("password_reset.sent.title", "password_reset.sent.text"))
}

/// The token goes from the address into a cookie before a page is drawn, so that it stands in no
/// history, no Referer and no screenshot. Looking uses nothing up: only the form does.
#[get("/account/password/reset/<token>")]
async fn arrive(
    token: &str,
    frame: Frame,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    if !flows::account::password_reset::may_reset(ctx, &Secret::new(token.to_owned())).await? {
        return message_page::dead_link(frame).map(Answer::Shown);
    }
    cookies::carry_link(jar, ctx, token);
    Ok(Answer::Gone(Redirect::to("/account/password/new")))
}

#[get("/account/password/new")]
async fn edit(frame: Frame, ctx: &State<Ctx>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    if !flows::account::password_reset::may_reset(ctx, &cookies::carried(jar, ctx)).await? {
        return message_page::no_link(frame, ctx, jar);
    }
    draw(frame, FormView::empty(""), ctx)
}

#[post("/account/password/new", data = "<sent>")]
async fn update(
    sent: Submitted<ResetForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    set(&cookies::carried(jar, ctx), &sent, frame, caller, (ctx, jar)).await
}

/// The same for whoever sends the form to the link itself.
#[post("/account/password/reset/<token>", data = "<sent>")]
async fn update_at_once(
    token: &str,
    sent: Submitted<ResetForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    set(&Secret::new(token.to_owned()), &sent, frame, caller, (ctx, jar)).await
}

async fn set(
    token: &Secret,
    sent: &Submitted<ResetForm>,
    frame: Frame,
    caller: &Caller,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    let complaints = sent.complaints(sent.form.validate());
    if !complaints.is_empty() {
        let found = match complaints.unjudged("new_password1", &sent.form.new_password1) {
            Some(password) => flows::account::password_reset::weigh(ctx, token, &password).await,
            // A dead link is dead whatever the form says.
            None if !flows::account::password_reset::may_reset(ctx, token).await? => {
                Err(ResetError::Dead)
            }
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => {
                again(frame, &sent.form, &complaints.and("new_password1", found).into(), ctx)
            }
            Err(error) => refused(frame, &sent.form, error, ctx),
        };
    }
    let password = Password::parse(&sent.form.new_password1);
    let password = password.expect("the rules hold, and they are this parser");
    match flows::account::password_reset::by_link(ctx, token, password, caller).await {
        Ok(()) => {
            cookies::drop_link(jar, ctx);
            // A browser that is not signed in has no cookies of ours; others are left alone.
            if frame.person().is_some() {
                cookies::sign_out(jar, ctx);
            }
            Notice::PasswordReset.say(jar, ctx);
            Ok(Answer::Gone(Redirect::to("/account/login")))
        }
        Err(error) => refused(frame, &sent.form, error, ctx),
    }
}

fn refused(frame: Frame, form: &ResetForm, error: ResetError, ctx: &Ctx) -> Result<Answer, Error> {
    match error {
        ResetError::Dead => message_page::dead_link(frame).map(Answer::Shown),
        ResetError::NotTaken(error) => {
            again(frame, form, &Refusal::not_taken("new_password1", error)?, ctx)
        }
        ResetError::Broken(error) => Err(error.into()),
    }
}

fn again(frame: Frame, form: &ResetForm, refusal: &Refusal, ctx: &Ctx) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, ctx)?)))
}

fn draw(frame: Frame, form: FormView, ctx: &Ctx) -> Result<Page, Error> {
    let min_length = ctx.settings.password_min_length;
    Page::draw(&ResetPage { frame, form, min_length })
}

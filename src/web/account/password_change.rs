//! Changing the password.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::{Answer, MY_PAGE};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::password_change::ChangePasswordError;
use crate::http::guards::SignedIn;
use crate::sessions::ProveError;
use crate::types::{Caller, Password};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![edit, update]
}

#[derive(FromForm, Validate)]
struct PasswordForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    old_password: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    new_password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "new_password1", code = "password.differs"))]
    new_password2: String,
}

impl Form for PasswordForm {
    const FIELDS: &'static [&'static str] = &["old_password", "new_password1", "new_password2"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/password_change.html")]
struct PasswordPage {
    frame: Frame,
    form: FormView,
    min_length: u8,
}

#[get("/account/password/change")]
fn edit(_signed_in: SignedIn, frame: Frame, ctx: &State<Ctx>) -> Result<Page, Error> {
    draw(frame, FormView::empty(""), ctx)
}

#[post("/account/password/change", data = "<sent>")]
async fn update(
    sent: Submitted<PasswordForm>,
    signed_in: SignedIn,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let form = &sent.form;
    let email = &signed_in.person().email;
    let complaints = sent.complaints(form.validate());
    if !complaints.is_empty() {
        let found = match complaints.unjudged("new_password1", &form.new_password1) {
            Some(new) => flows::account::password_change::weigh(ctx, email, &new).await,
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => again(frame, form, &complaints.and("new_password1", found).into(), ctx),
            Err(error) => refused(frame, form, error, ctx),
        };
    }
    let holds = "the rules hold, and they are this parser";
    let old = Password::parse(&form.old_password).expect(holds);
    let new = Password::parse(&form.new_password1).expect(holds);
    match flows::account::password_change::change(
        ctx,
        (email, signed_in.session()),
        old,
        new.clone(),
        caller,
    )
    .await
    {
        Ok(()) => {
            Notice::PasswordChanged.say(jar, ctx);
            Ok(Answer::Gone(Redirect::to(MY_PAGE)))
        }
        // What is wrong with the new password is said with it.
        Err(ChangePasswordError::NotProved(ProveError::Wrong)) => {
            let wrong = Refusal::about("old_password", "password.wrong").complaints;
            match flows::account::password_change::weigh(ctx, email, &new).await {
                Ok(found) => again(frame, form, &wrong.and("new_password1", found).into(), ctx),
                Err(error) => refused(frame, form, error, ctx),
            }
        }
        Err(error) => refused(frame, form, error, ctx),
    }
}

fn refused(
    frame: Frame,
    form: &PasswordForm,
    error: ChangePasswordError,
    ctx: &Ctx,
) -> Result<Answer, Error> {
    let refusal = match error {
        ChangePasswordError::NotProved(error) => {
            Refusal::not_proved(&frame, "old_password", error)?
        }
        ChangePasswordError::NotTaken(error) => Refusal::not_taken("new_password1", error)?,
        ChangePasswordError::Broken(error) => return Err(error.into()),
    };
    again(frame, form, &refusal, ctx)
}

fn again(frame: Frame, form: &PasswordForm, refusal: &Refusal, ctx: &Ctx) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, ctx)?)))
}

fn draw(frame: Frame, form: FormView, ctx: &Ctx) -> Result<Page, Error> {
    let min_length = ctx.settings.password_min_length;
    Page::draw(&PasswordPage { frame, form, min_length })
}

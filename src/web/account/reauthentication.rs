//! Giving the password once more, on the way to something dangerous.

use askama::Template;
use rocket::form::FromForm;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use url::form_urlencoded;
use validator::Validate;

use super::login_methods;
use super::login_methods::Way;
use super::{Answer, MY_PAGE};
use crate::context::Ctx;
use crate::flows;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::types::{Caller, Password};
use crate::web::error::Error;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

/// The way to the question, and back to where the person was going.
pub(in crate::web) fn ask(frame: &Frame) -> Redirect {
    ask_for(frame.here())
}

/// The way to the question, and on to a path of this site.
pub(in crate::web) fn ask_for(next: &str) -> Redirect {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Redirect::to(format!("/account/sudo?next={next}"))
}

#[derive(FromForm, Validate)]
struct SudoForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
    #[field(default = String::new())]
    next: String,
}

impl Form for SudoForm {
    const FIELDS: &'static [&'static str] = &["password"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    fn next(&self) -> &str {
        &self.next
    }
}

#[derive(Template)]
#[template(path = "account/reauthentication.html")]
struct SudoPage {
    frame: Frame,
    form: FormView,
    has_password: bool,
    ways: Vec<Way>,
}

#[get("/account/sudo?<next>")]
async fn new(
    next: Option<&str>,
    signed_in: SignedIn,
    frame: Frame,
    ctx: &State<Ctx>,
) -> Result<Page, Error> {
    draw(frame, FormView::empty(next.unwrap_or_default()), &signed_in, ctx).await
}

#[post("/account/sudo", data = "<sent>")]
async fn create(
    sent: Submitted<SudoForm>,
    signed_in: SignedIn,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Answer, Error> {
    let form = &sent.form;
    let complaints = sent.complaints(form.validate());
    if !complaints.is_empty() {
        return again(frame, form, &complaints.into(), &signed_in, ctx).await;
    }
    let password = Password::parse(&form.password);
    let password = password.expect("the rules hold, and they are this parser");
    let whose = (&signed_in.person().email, signed_in.session());
    match flows::account::reauthentication::prove(ctx, whose, password, caller).await {
        Ok(()) => Ok(Answer::Gone(Redirect::to(next::after_sign_in(&form.next, MY_PAGE)))),
        Err(error) => {
            let refusal = Refusal::not_proved(&frame, "password", error)?;
            again(frame, form, &refusal, &signed_in, ctx).await
        }
    }
}

async fn again(
    frame: Frame,
    form: &SudoForm,
    refusal: &Refusal,
    reader: &SignedIn,
    ctx: &Ctx,
) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, reader, ctx).await?)))
}

/// Whoever has no password is proved by a provider once more.
async fn draw(frame: Frame, form: FormView, reader: &SignedIn, ctx: &Ctx) -> Result<Page, Error> {
    let has_password = reader.person().has_password;
    let (ways, origins) = if has_password {
        Default::default()
    } else {
        login_methods::of_person(ctx, &frame, reader.person().id).await?
    };
    Ok(Page::draw(&SudoPage { frame, form, has_password, ways })?.leading_to(origins))
}

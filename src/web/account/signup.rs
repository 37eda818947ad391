//! Joining.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::{Validate, ValidateArgs as _};

use super::login_methods;
use super::login_methods::Way;
use super::{Answer, MY_PAGE};
use crate::accounts::OwnData;
use crate::config::SignUp;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::signup::{Application, Joined, SignUpError};
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::types::{BirthDate, Caller, Email, Gender, Language, Name, Password};
use crate::web::error::Error;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::rules::Today;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create, sent]
}

#[derive(FromForm, Validate)]
#[validate(context = Today)]
struct JoinForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "password1", code = "password.differs"))]
    password2: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::gender"))]
    gender: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::date_of_birth", use_context))]
    date_of_birth: String,
    #[field(default = String::new())]
    next: String,
}

impl Form for JoinForm {
    const FIELDS: &'static [&'static str] =
        &["email", "password1", "password2", "gender", "date_of_birth"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("email", &self.email),
            ("gender", &self.gender),
            ("date_of_birth", &self.date_of_birth),
        ]
    }

    fn next(&self) -> &str {
        &self.next
    }
}

impl JoinForm {
    /// What is known of the person, whatever else is wrong with the form.
    fn own_data(&self, today: Today) -> OwnData {
        let date_of_birth = BirthDate::parse(&self.date_of_birth, today.0).ok().flatten();
        OwnData { email: Email::parse(&self.email).ok(), name: Name::default(), date_of_birth }
    }

    /// The words of a form whose rules hold.
    fn words(&self, today: Today, language: Language) -> Application {
        let holds = "the rules hold, and they are these parsers";
        Application {
            email: Email::parse(&self.email).expect(holds),
            password: Password::parse(&self.password1).expect(holds),
            name: Name::default(),
            gender: Gender::parse(&self.gender).expect(holds),
            date_of_birth: BirthDate::parse(&self.date_of_birth, today.0).expect(holds),
            language,
        }
    }
}

#[derive(Template)]
#[template(path = "account/signup.html")]
struct JoinPage {
    frame: Frame,
    form: FormView,
    ways: Vec<Way>,
    min_length: u8,
}

#[derive(Template)]
#[template(path = "account/signup_closed.html")]
struct ClosedPage {
    frame: Frame,
}

/// Where an address must be proved first, everybody who joins arrives here.
#[get("/account/join/sent")]
fn sent(frame: Frame) -> Result<Page, Error> {
    message_page::draw(frame, ("signup.sent.title", "signup.sent.text"))
}

#[get("/account/join?<next>")]
async fn new(next: Option<&str>, frame: Frame, ctx: &State<Ctx>) -> Result<Answer, Error> {
    let next = next.unwrap_or_default();
    if frame.person().is_some() {
        return Ok(Answer::Gone(Redirect::to(next::after_sign_in(next, MY_PAGE))));
    }
    if ctx.settings.signup == SignUp::Closed {
        return closed(frame);
    }
    draw(frame, FormView::empty(next), ctx).await.map(Answer::Shown)
}

#[post("/account/join", data = "<sent>")]
async fn create(
    sent: Submitted<JoinForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let today = Today(ctx.clock.now().date());
    let mut complaints = sent.complaints(sent.form.validate_with_args(&today));
    // The settings decide this, which the form's own rules do not know; it is said beside all else.
    if Email::parse(&sent.form.email).is_ok_and(|email| !ctx.settings.takes(&email)) {
        complaints.add("email", "email.local");
    }
    if !complaints.is_empty() {
        let found = match complaints.unjudged("password1", &sent.form.password1) {
            Some(password) => {
                flows::account::signup::weigh(ctx, &password, sent.form.own_data(today), caller)
                    .await
            }
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => {
                let refusal = complaints.and("password1", found).into();
                again(frame, &sent.form, &refusal, ctx).await
            }
            Err(error) => refused(frame, &sent.form, error, ctx).await,
        };
    }
    let before = frame.person().map(SignedIn::session);
    let application = sent.form.words(today, frame.language());
    match flows::account::signup::join(ctx, application, before, caller).await {
        Ok(Joined::LetterSent) => Ok(Answer::Gone(Redirect::to("/account/join/sent"))),
        Ok(Joined::SignedIn(opened)) => {
            cookies::sign_in(jar, ctx, &opened);
            Ok(Answer::Gone(Redirect::to(next::after_sign_in(&sent.form.next, MY_PAGE))))
        }
        Err(error) => refused(frame, &sent.form, error, ctx).await,
    }
}

async fn refused(
    frame: Frame,
    form: &JoinForm,
    error: SignUpError,
    ctx: &Ctx,
) -> Result<Answer, Error> {
    let refusal = match error {
        SignUpError::Closed => return closed(frame),
        SignUpError::EmailTaken => Refusal::about("email", "email.taken"),
        SignUpError::Inactive(inactive) => Refusal::inactive(&frame, inactive),
        SignUpError::Leaving(at) => Refusal::leaving(&frame, at),
        SignUpError::LocalEmail => Refusal::about("email", "email.local"),
        SignUpError::NotTaken(error) => Refusal::not_taken("password1", error)?,
        SignUpError::NotNow(error) => Refusal::not_now(&frame, error)?,
        SignUpError::Broken(error) => return Err(error.into()),
    };
    again(frame, form, &refusal, ctx).await
}

async fn again(
    frame: Frame,
    form: &JoinForm,
    refusal: &Refusal,
    ctx: &Ctx,
) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, ctx).await?)))
}

async fn draw(frame: Frame, form: FormView, ctx: &Ctx) -> Result<Page, Error> {
    let (ways, origins) = login_methods::of(ctx, &frame).await?;
    let page = JoinPage { frame, form, ways, min_length: min_length(ctx) };
    Ok(Page::draw(&page)?.leading_to(origins))
}

pub(crate) fn closed(frame: Frame) -> Result<Answer, Error> {
    let page = Page::draw(&ClosedPage { frame })?;
    Ok(Answer::Shown(page.with_status(Status::Forbidden)))
}

fn min_length(ctx: &Ctx) -> u8 {
    ctx.settings.password_min_length
}

//! Logging in.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::login_methods;
use super::login_methods::Way;
use super::{Answer, MY_PAGE};
use crate::config::EmailVerification;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::login::{Credentials, LogInError};
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::sessions::ProveError;
use crate::types::{Caller, Email, Password};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

#[derive(FromForm, Validate)]
struct LogInForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
    #[field(default = String::new())]
    next: String,
}

impl Form for LogInForm {
    const FIELDS: &'static [&'static str] = &["email", "password"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }

    fn next(&self) -> &str {
        &self.next
    }
}

impl LogInForm {
    /// The words of a form whose rules hold.
    fn words(&self) -> Credentials {
        let holds = "the rules hold, and they are these parsers";
        Credentials {
            email: Email::parse(&self.email).expect(holds),
            password: Password::parse(&self.password).expect(holds),
        }
    }
}

#[derive(Template)]
#[template(path = "account/login.html")]
struct LogInPage {
    frame: Frame,
    form: FormView,
    ways: Vec<Way>,
}

#[get("/account/login?<next>")]
async fn new(next: Option<&str>, frame: Frame, ctx: &State<Ctx>) -> Result<Answer, Error> {
    let next = next.unwrap_or_default();
    if frame.person().is_some() {
        return Ok(Answer::Gone(Redirect::to(next::after_sign_in(next, MY_PAGE))));
    }
    draw(frame, FormView::empty(next), ctx).await.map(Answer::Shown)
}

#[post("/account/login", data = "<sent>")]
async fn create(
    sent: Submitted<LogInForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let complaints = sent.complaints(sent.form.validate());
    if !complaints.is_empty() {
        return again(frame, &sent.form, &complaints.into(), ctx).await;
    }
    let before = frame.person().map(SignedIn::session);
    let refusal =
        match flows::account::login::with_password(ctx, sent.form.words(), before, caller).await {
            Ok(flows::account::login::LoggedIn { opened, has_stayed }) => {
                cookies::sign_in(jar, ctx, &opened);
                if has_stayed {
                    Notice::Stayed.say(jar, ctx);
                }
                let to = next::after_sign_in(&sent.form.next, MY_PAGE);
                return Ok(Answer::Gone(Redirect::to(to)));
            }
            // One sentence for all, so it has to help also those who have a letter to open.
            Err(LogInError::Unverified) => Refusal::of_all("login.wrong_or_unverified"),
            Err(LogInError::Inactive(inactive)) => Refusal::inactive(&frame, inactive),
            Err(LogInError::NotProved(error)) => match error {
                ProveError::Wrong => match ctx.settings.email_verification {
                    EmailVerification::Mandatory => Refusal::of_all("login.wrong_or_unverified"),
                    _ => Refusal::of_all("login.wrong"),
                },
                ProveError::TooSoon(wait) => Refusal::too_soon(&frame, "login.too_soon", wait),
                ProveError::Closed => Refusal::closed(),
                ProveError::Busy(full) => return Err(full.into()),
                ProveError::Broken(error) => return Err(error.into()),
            },
        };
    again(frame, &sent.form, &refusal, ctx).await
}

async fn again(
    frame: Frame,
    form: &LogInForm,
    refusal: &Refusal,
    ctx: &Ctx,
) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, ctx).await?)))
}

async fn draw(frame: Frame, form: FormView, ctx: &Ctx) -> Result<Page, Error> {
    let (ways, origins) = login_methods::of(ctx, &frame).await?;
    Ok(Page::draw(&LogInPage { frame, form, ways })?.leading_to(origins))
}

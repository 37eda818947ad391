//! The sign-up page.
//!
//! Says whether an address is taken only as far as the use case lets it: with mandatory
//! verification every sign-up gets the same page.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::{Validate, ValidateArgs as _};

use super::login_methods;
use super::login_methods::LoginMethod;
use super::{MY_PAGE, Response};
use crate::accounts::UserAttributes;
use crate::config::SignupMode;
use crate::context::Context;
use crate::flows;
use crate::flows::account::signup::{SignupError, SignupOutcome, SignupRequest};
use crate::http::cookies;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::types::{BirthDate, Email, Gender, Language, Name, Password, RequestInfo};
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::rules::Today;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create, sent]
}

#[derive(FromForm, Validate)]
#[validate(context = Today)]
struct SignupForm {
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

impl Form for SignupForm {
    const FIELDS: &'static [&'static str] =
        &["email", "password1", "password2", "gender", "date_of_birth"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
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

impl SignupForm {
    /// Returns what is known about the user, ignoring fields that do not parse.
    fn user_attributes(&self, today: Today) -> UserAttributes {
        let date_of_birth = BirthDate::parse(&self.date_of_birth, today.0).ok().flatten();
        UserAttributes {
            email: Email::parse(&self.email).ok(),
            name: Name::default(),
            date_of_birth,
        }
    }

    /// Returns the parsed values of a form that has passed its rules.
    fn parsed(&self, today: Today, language: Language) -> SignupRequest {
        let holds = "the rules hold, and they are these parsers";
        SignupRequest {
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
struct SignupPage {
    page: PageContext,
    form: FormView,
    login_methods: Vec<LoginMethod>,
    min_length: u8,
}

#[derive(Template)]
#[template(path = "account/signup_closed.html")]
struct SignupClosedPage {
    page: PageContext,
}

/// Renders the answer to every sign-up when verification is mandatory.
#[get("/account/join/sent")]
fn sent(page: PageContext) -> Result<Page, Error> {
    message_page::render(page, ("signup.sent.title", "signup.sent.text"))
}

#[get("/account/join?<next>")]
async fn new(
    next: Option<&str>,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let next = next.unwrap_or_default();
    if page.user().is_some() {
        return Ok(Response::Redirect(Redirect::to(next::after_login(next, MY_PAGE))));
    }
    if ctx.settings.signup == SignupMode::Closed {
        return closed(page);
    }
    render(page, FormView::empty(next), ctx).await.map(Response::Page)
}

#[post("/account/join", data = "<sent>")]
async fn create(
    sent: Submitted<SignupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let today = Today(ctx.clock.now().date());
    let mut errors = sent.errors(sent.form.validate_with_args(&today));
    // The settings decide this, not the form's own rules; it is reported together with everything
    // else.
    if Email::parse(&sent.form.email).is_ok_and(|email| !ctx.settings.accepts_email(&email)) {
        errors.add("email", "email.local");
    }
    if !errors.is_empty() {
        let found = match errors.unchecked_password("password1", &sent.form.password1) {
            Some(password) => {
                flows::account::signup::check_password_strength(
                    ctx,
                    &password,
                    sent.form.user_attributes(today),
                    info,
                )
                .await
            }
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => {
                let rejection = errors.with_weaknesses("password1", found).into();
                rerender(page, &sent.form, &rejection, ctx).await
            }
            Err(error) => reject(page, &sent.form, error, ctx).await,
        };
    }
    let before = page.user().map(SignedIn::session);
    let registration = sent.form.parsed(today, page.language());
    match flows::account::signup::sign_up(ctx, registration, before, info).await {
        Ok(SignupOutcome::EmailSent) => Ok(Response::Redirect(Redirect::to("/account/join/sent"))),
        Ok(SignupOutcome::SignedIn(tokens)) => {
            cookies::sign_in(jar, ctx, &tokens);
            Ok(Response::Redirect(Redirect::to(next::after_login(&sent.form.next, MY_PAGE))))
        }
        Err(error) => reject(page, &sent.form, error, ctx).await,
    }
}

async fn reject(
    page: PageContext,
    form: &SignupForm,
    error: SignupError,
    ctx: &Context,
) -> Result<Response, Error> {
    let rejection = match error {
        SignupError::Closed => return closed(page),
        SignupError::EmailTaken => Rejection::on_field("email", "email.taken"),
        SignupError::Inactive(inactive) => Rejection::inactive(&page, inactive),
        SignupError::DeletionPending(at) => Rejection::deletion_pending(&page, at),
        SignupError::LocalEmail => Rejection::on_field("email", "email.local"),
        SignupError::NotTaken(error) => Rejection::new_password_rejected("password1", error)?,
        SignupError::NotNow(error) => Rejection::throttled(&page, error)?,
        SignupError::Broken(error) => return Err(error.into()),
    };
    rerender(page, form, &rejection, ctx).await
}

async fn rerender(
    page: PageContext,
    form: &SignupForm,
    rejection: &Rejection,
    ctx: &Context,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, ctx).await?)))
}

async fn render(page: PageContext, form: FormView, ctx: &Context) -> Result<Page, Error> {
    let (login_methods, origins) = login_methods::list(ctx, &page).await?;
    let page = SignupPage { page, form, login_methods, min_length: min_length(ctx) };
    Ok(Page::render(&page)?.with_form_action(origins))
}

pub(crate) fn closed(page: PageContext) -> Result<Response, Error> {
    let page = Page::render(&SignupClosedPage { page })?;
    Ok(Response::Page(page.with_status(Status::Forbidden)))
}

fn min_length(ctx: &Context) -> u8 {
    ctx.settings.password_min_length
}

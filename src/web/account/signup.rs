//! The sign-up page.
//!
//! Says whether an address is taken only as far as the use case lets it: with mandatory
//! verification every sign-up gets the same page.

use askama::Template;
use rocket::http::Status;
use rocket::{Route, get, post, routes};

use super::login_methods;
use super::login_methods::LoginMethod;
use crate::accounts::UserAttributes;
use crate::config::SignupMode;
use crate::flows;
use crate::flows::account::signup::{SignupError, SignupOutcome, SignupRequest};
use crate::paths;
use crate::types::{Email, Password};
use crate::web::error::Error;
use crate::web::forms::profile::ProfileFields;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormErrors, FormPage, FormView, Hidden, Submitted, form};
use crate::web::message_page;
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create, sent]
}

form! {
    struct SignupForm {
        email: Field<Email>,
        password1: Field<Password>,
        password2: Field<Option<Password>>,
        profile: ProfileFields,
        next: Hidden,
    }
    same: password2 == password1;
}

impl SignupForm {
    /// Returns what is known about the user, ignoring fields that do not parse.
    fn user_attributes(&self) -> UserAttributes {
        UserAttributes { email: self.email.value(), profile: self.profile.readable() }
    }

    fn signup_request(&self, request: &RequestContext<'_>) -> Option<SignupRequest> {
        Some(SignupRequest {
            email: self.email.value()?,
            password: self.password1.value()?,
            profile: self.profile.profile()?,
            language: request.page.language(),
        })
    }
}

#[derive(Template)]
#[template(path = "account/signup.html")]
struct SignupPage<'a> {
    page: &'a PageContext,
    form: FormView,
    login_methods: Vec<LoginMethod>,
    min_length: u8,
}

#[derive(Template)]
#[template(path = "account/signup_closed.html")]
struct SignupClosedPage<'a> {
    page: &'a PageContext,
}

impl FormPage for SignupForm {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        let (login_methods, origins) = login_methods::list(request).await?;
        let min_length = request.context.settings.password_min_length;
        let page = SignupPage { page: &request.page, form, login_methods, min_length };
        Ok(Page::render(&page)?.with_form_action(origins))
    }
}

/// Renders the answer to every sign-up when verification is mandatory.
#[get("/account/join/sent")]
fn sent(page: PageContext) -> Result<Page, Error> {
    message_page::render(&page, "signup.sent.title", "signup.sent.text")
}

#[get("/account/join?<next>")]
async fn new(next: Option<&str>, request: RequestContext<'_>) -> Result<Response, Error> {
    let next = next.unwrap_or_default();
    if request.user().is_some() {
        return Ok(Response::redirect_to_next(next));
    }
    if request.context.settings.signup == SignupMode::Closed {
        return closed(&request.page);
    }
    SignupForm::render(FormView::empty(next), &(), &request).await.map(Response::Page)
}

#[post("/account/join", data = "<form>")]
async fn create(
    form: Submitted<SignupForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let mut errors = form.errors.clone();
    // The settings decide this, not the form's own rules; it is reported together with everything
    // else.
    let email = form.email.value();
    if email.is_some_and(|email| !request.context.settings.accepts_email(&email)) {
        errors.add("email", "email.local");
    }
    let signup = form.signup_request(&request).filter(|_| errors.is_empty());
    let Some(signup) = signup else { return reject_all(&form, errors, &request).await };
    let session = request.session();
    match flows::account::signup::sign_up(request.context, signup, session, request.info).await {
        Ok(SignupOutcome::EmailSent) => Ok(Response::redirect_to(paths::SIGNUP_SENT)),
        Ok(SignupOutcome::SignedIn(tokens)) => {
            request.log_in(&tokens);
            Ok(Response::redirect_to_next(&form.next))
        }
        Err(error) => reject(&form, error, &request).await,
    }
}

/// Renders the form with its errors and the weaknesses of its password.
async fn reject_all(
    form: &Submitted<SignupForm>,
    errors: FormErrors,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let Some(password) = form.password1.value().filter(|_| !errors.has("password1")) else {
        return form.reject(errors.into(), request).await;
    };
    let found = flows::account::signup::check_password_strength(
        request.context,
        &password,
        form.user_attributes(),
        request.info,
    )
    .await;
    match found {
        Ok(found) => form.reject(errors.with_weaknesses("password1", found).into(), request).await,
        Err(error) => reject(form, error, request).await,
    }
}

async fn reject(
    form: &Submitted<SignupForm>,
    error: SignupError,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let page = &request.page;
    let rejection = match error {
        SignupError::Closed => return closed(page),
        SignupError::EmailTaken => Rejection::on_field("email", "email.taken"),
        SignupError::Inactive(inactive) => Rejection::inactive(page, inactive),
        SignupError::DeletionPending(at) => Rejection::deletion_pending(page, at),
        SignupError::LocalEmail => Rejection::on_field("email", "email.local"),
        SignupError::NotTaken(error) => Rejection::new_password_rejected("password1", error)?,
        SignupError::NotNow(error) => Rejection::throttled(page, error)?,
        SignupError::Database(error) => return Err(error.into()),
    };
    form.reject(rejection, request).await
}

pub(crate) fn closed(page: &PageContext) -> Result<Response, Error> {
    let page = Page::render(&SignupClosedPage { page })?;
    Ok(Response::Page(page.with_status(Status::Forbidden)))
}

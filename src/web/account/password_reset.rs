//! The pages for resetting a forgotten password: requesting the link, and choosing the new
//! password.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::Response;
use crate::context::Context;
use crate::flows;
use crate::flows::account::password_reset::PasswordResetError;
use crate::http::cookies;
use crate::types::{Email, Password, RequestInfo, Secret};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create, sent, arrive, edit, update, update_at_once]
}

#[derive(FromForm, Validate)]
struct ResetRequestForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
}

impl Form for ResetRequestForm {
    const FIELDS: &'static [&'static str] = &["email"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

#[derive(FromForm, Validate)]
struct PasswordResetForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    new_password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "new_password1", code = "password.differs"))]
    new_password2: String,
}

impl Form for PasswordResetForm {
    const FIELDS: &'static [&'static str] = &["new_password1", "new_password2"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/password_reset.html")]
struct ResetRequestPage {
    page: PageContext,
    form: FormView,
}

#[derive(Template)]
#[template(path = "account/password_reset_new.html")]
struct PasswordResetPage {
    page: PageContext,
    form: FormView,
    min_length: u8,
}

#[get("/account/password/reset")]
fn new(page: PageContext) -> Result<Page, Error> {
    Page::render(&ResetRequestPage { page, form: FormView::empty("") })
}

#[post("/account/password/reset", data = "<sent>")]
async fn create(
    sent: Submitted<ResetRequestForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let errors = sent.errors(sent.form.validate());
    if !errors.is_empty() {
        return rerender_request(page, &sent.form, &errors.into());
    }
    let email = Email::parse(&sent.form.email).expect("the rules hold, and they are this parser");
    match flows::account::password_reset::request(ctx, email, page.language(), info).await {
        Ok(()) => Ok(Response::Redirect(Redirect::to("/account/password/sent"))),
        Err(error) => {
            let rejection = Rejection::throttled(&page, error)?;
            rerender_request(page, &sent.form, &rejection)
        }
    }
}

fn rerender_request(
    page: PageContext,
    form: &ResetRequestForm,
    rejection: &Rejection,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(Page::render(&ResetRequestPage { page, form })?)))
}

/// Renders the answer to every request, whether the address has an account or not.
#[get("/account/password/sent")]
fn sent(page: PageContext) -> Result<Page, Error> {
    message_page::render(page, ("password_reset.sent.title", "password_reset.sent.text"))
}

/// Moves the token from the URL to a cookie before a page is rendered, so that it is in no history,
/// `Referer` or screenshot. Opening the link uses nothing up; the form does.
#[get("/account/password/reset/<token>")]
async fn arrive(
    token: &str,
    page: PageContext,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    if !flows::account::password_reset::is_link_valid(ctx, &Secret::new(token.to_owned())).await? {
        return message_page::dead_link(page).map(Response::Page);
    }
    cookies::set_link_token(jar, ctx, token);
    Ok(Response::Redirect(Redirect::to("/account/password/new")))
}

#[get("/account/password/new")]
async fn edit(page: PageContext, ctx: &State<Context>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    if !flows::account::password_reset::is_link_valid(ctx, &cookies::link_token(jar, ctx)).await? {
        return message_page::no_link(page, ctx, jar);
    }
    render(page, FormView::empty(""), ctx)
}

#[post("/account/password/new", data = "<sent>")]
async fn update(
    sent: Submitted<PasswordResetForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    set(&cookies::link_token(jar, ctx), &sent, page, info, (ctx, jar)).await
}

/// Runs a form that is sent to the link's own URL.
#[post("/account/password/reset/<token>", data = "<sent>")]
async fn update_at_once(
    token: &str,
    sent: Submitted<PasswordResetForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    set(&Secret::new(token.to_owned()), &sent, page, info, (ctx, jar)).await
}

async fn set(
    token: &Secret,
    sent: &Submitted<PasswordResetForm>,
    page: PageContext,
    info: &RequestInfo,
    (ctx, jar): (&Context, &CookieJar<'_>),
) -> Result<Response, Error> {
    let errors = sent.errors(sent.form.validate());
    if !errors.is_empty() {
        let found = match errors.unchecked_password("new_password1", &sent.form.new_password1) {
            Some(password) => {
                flows::account::password_reset::check_password_strength(ctx, token, &password).await
            }
            // A dead link is reported whatever the form holds.
            None if !flows::account::password_reset::is_link_valid(ctx, token).await? => {
                Err(PasswordResetError::Dead)
            }
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => rerender(
                page,
                &sent.form,
                &errors.with_weaknesses("new_password1", found).into(),
                ctx,
            ),
            Err(error) => reject(page, &sent.form, error, ctx),
        };
    }
    let password = Password::parse(&sent.form.new_password1);
    let password = password.expect("the rules hold, and they are this parser");
    match flows::account::password_reset::reset(ctx, token, password, info).await {
        Ok(()) => {
            cookies::remove_link_token(jar, ctx);
            // A visitor's browser has no cookies of ours; others are left alone.
            if page.user().is_some() {
                cookies::sign_out(jar, ctx);
            }
            Flash::PasswordReset.set(jar, ctx);
            Ok(Response::Redirect(Redirect::to("/account/login")))
        }
        Err(error) => reject(page, &sent.form, error, ctx),
    }
}

fn reject(
    page: PageContext,
    form: &PasswordResetForm,
    error: PasswordResetError,
    ctx: &Context,
) -> Result<Response, Error> {
    match error {
        PasswordResetError::Dead => message_page::dead_link(page).map(Response::Page),
        PasswordResetError::NotTaken(error) => {
            rerender(page, form, &Rejection::new_password_rejected("new_password1", error)?, ctx)
        }
        PasswordResetError::Broken(error) => Err(error.into()),
    }
}

fn rerender(
    page: PageContext,
    form: &PasswordResetForm,
    rejection: &Rejection,
    ctx: &Context,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, ctx)?)))
}

fn render(page: PageContext, form: FormView, ctx: &Context) -> Result<Page, Error> {
    let min_length = ctx.settings.password_min_length;
    Page::render(&PasswordResetPage { page, form, min_length })
}

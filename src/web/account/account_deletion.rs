//! The page for deleting one's own account.
//!
//! It asks for the password; the use case schedules the deletion and sends the e-mail.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, post, routes};
use validator::Validate;

use super::logout::LoggedOut;
use super::reauthenticated::ReauthenticationPrompt;
use crate::context::Context;
use crate::flows;
use crate::flows::account::account_deletion::DeletionError;
use crate::http::guards::SignedIn;
use crate::types::RequestInfo;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

/// The page's path.
const HERE: &str = "/account/delete";

#[derive(FromForm, Validate)]
struct AccountDeletionForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
}

impl Form for AccountDeletionForm {
    const FIELDS: &'static [&'static str] = &["password"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/account_deletion.html")]
struct AccountDeletionPage {
    page: PageContext,
    form: FormView,
    asks_password: bool,
}

#[derive(Responder)]
enum DeletionResponse {
    Page(Page),
    Redirect(Redirect),
    LoggedOut(LoggedOut),
}

#[get("/account/delete")]
async fn new(
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<DeletionResponse, Error> {
    match ReauthenticationPrompt::of(ctx, &signed_in, HERE).await? {
        Ok(prompt) => render(page, FormView::empty(""), prompt).map(DeletionResponse::Page),
        Err(way) => Ok(DeletionResponse::Redirect(way)),
    }
}

#[post("/account/delete", data = "<sent>")]
async fn create(
    sent: Submitted<AccountDeletionForm>,
    signed_in: SignedIn,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<DeletionResponse, Error> {
    let form = &sent.form;
    let prompt = match ReauthenticationPrompt::of(ctx, &signed_in, HERE).await? {
        Ok(prompt) => prompt,
        Err(way) => return Ok(DeletionResponse::Redirect(way)),
    };
    let errors = sent.errors(prompt.filter(form.validate()));
    if !errors.is_empty() {
        return rerender(page, form, &errors.into(), prompt);
    }
    let password = prompt.password(&form.password);
    let rejection =
        match flows::account::account_deletion::schedule(ctx, signed_in.user(), password, info)
            .await
        {
            Ok(_) => {
                Flash::DeletionScheduled.set(jar, ctx);
                return Ok(DeletionResponse::LoggedOut(LoggedOut::of(jar, ctx)));
            }
            Err(DeletionError::LastSuperuser) => {
                Rejection::on_form("account_deletion.last_superuser")
            }
            Err(DeletionError::NotProved(error)) => {
                Rejection::not_authenticated(&page, "password", error)?
            }
            Err(DeletionError::Broken(error)) => return Err(error.into()),
        };
    rerender(page, form, &rejection, prompt)
}

fn rerender(
    page: PageContext,
    form: &AccountDeletionForm,
    rejection: &Rejection,
    prompt: ReauthenticationPrompt,
) -> Result<DeletionResponse, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(DeletionResponse::Page(rejection.apply_to(render(page, form, prompt)?)))
}

fn render(
    page: PageContext,
    form: FormView,
    prompt: ReauthenticationPrompt,
) -> Result<Page, Error> {
    Page::render(&AccountDeletionPage { page, form, asks_password: prompt.asks_password() })
}

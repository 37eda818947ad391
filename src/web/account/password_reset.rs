//! The pages for resetting a forgotten password: requesting the link, and choosing the new
//! password.

use askama::Template;
use rocket::{Route, get, post, routes};

use crate::flows;
use crate::flows::account::password_reset::PasswordResetError;
use crate::http::cookies;
use crate::paths;
use crate::types::{Email, Password, Secret};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, ParsedForm, Submitted, form};
use crate::web::link_token::LinkToken;
use crate::web::message_page;
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create, sent, arrive, edit, update, update_at_once]
}

form! {
    struct ResetRequestForm {
        email: Field<Email>,
    }
}

impl ParsedForm for ResetRequestForm {
    type Parsed = Email;

    fn parsed(&self) -> Option<Email> {
        self.email.value()
    }
}

form! {
    struct PasswordResetForm {
        new_password1: Field<Password>,
        new_password2: Field<Option<Password>>,
    }
    same: new_password2 == new_password1;
}

impl ParsedForm for PasswordResetForm {
    type Parsed = Password;

    fn parsed(&self) -> Option<Password> {
        self.new_password1.value()
    }
}

#[derive(Template)]
#[template(path = "account/password_reset.html")]
struct ResetRequestPage<'a> {
    page: &'a PageContext,
    form: FormView,
}

impl FormPage for ResetRequestForm {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        Page::render(&ResetRequestPage { page: &request.page, form })
    }
}

#[derive(Template)]
#[template(path = "account/password_reset_new.html")]
struct PasswordResetPage<'a> {
    page: &'a PageContext,
    email: &'a str,
    form: FormView,
    min_length: u8,
}

/// The page belongs to the account with this address.
impl FormPage<Email> for PasswordResetForm {
    async fn render(
        form: FormView,
        email: &Email,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let min_length = request.context.settings.password_min_length;
        let email = email.as_typed();
        Page::render(&PasswordResetPage { page: &request.page, email, form, min_length })
    }
}

#[get("/account/password/reset")]
async fn new(request: RequestContext<'_>) -> Result<Page, Error> {
    ResetRequestForm::render(FormView::empty(""), &(), &request).await
}

#[post("/account/password/reset", data = "<form>")]
async fn create(
    form: Submitted<ResetRequestForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let Some(email) = form.parsed() else { return form.rerender(&request).await };
    let (ctx, page) = (request.context, &request.page);
    match flows::account::password_reset::request(ctx, email, page.language(), request.info).await {
        Ok(()) => Ok(Response::redirect_to(paths::PASSWORD_RESET_SENT)),
        Err(error) => form.reject(Rejection::throttled(page, error)?, &request).await,
    }
}

/// Renders the answer to every request, whether the address has an account or not.
#[get("/account/password/sent")]
fn sent(page: PageContext) -> Result<Page, Error> {
    message_page::render(&page, "password_reset.sent.title", "password_reset.sent.text")
}

/// Moves the token from the URL to a cookie before a page is rendered. Only the form uses the link
/// up.
#[get("/account/password/reset/<token>")]
async fn arrive(token: LinkToken, request: RequestContext<'_>) -> Result<Response, Error> {
    let (ctx, token) = (request.context, token.secret());
    if flows::account::password_reset::find_email(ctx, token).await?.is_none() {
        return message_page::dead_link(&request.page).map(Response::Page);
    }
    // So that the token is in no history, `Referer` or screenshot.
    cookies::set_link_token(request.cookies, ctx, token.expose());
    Ok(Response::redirect_to(paths::PASSWORD_RESET_NEW))
}

#[get("/account/password/new")]
async fn edit(request: RequestContext<'_>) -> Result<Page, Error> {
    let (ctx, jar) = (request.context, request.cookies);
    let token = cookies::link_token(jar, ctx);
    let Some(email) = flows::account::password_reset::find_email(ctx, &token).await? else {
        return message_page::no_link(&request);
    };
    PasswordResetForm::render(FormView::empty(""), &email, &request).await
}

#[post("/account/password/new", data = "<form>")]
async fn update(
    form: Submitted<PasswordResetForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    reset(&cookies::link_token(request.cookies, request.context), &form, &request).await
}

/// Runs a form that is sent to the link's own URL.
#[post("/account/password/reset/<token>", data = "<form>")]
async fn update_at_once(
    token: LinkToken,
    form: Submitted<PasswordResetForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    reset(token.secret(), &form, &request).await
}

async fn reset(
    token: &Secret,
    form: &Submitted<PasswordResetForm>,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let Some(password) = form.parsed() else { return reject_all(token, form, request).await };
    let (ctx, jar) = (request.context, request.cookies);
    match flows::account::password_reset::reset(ctx, token, password, request.info).await {
        Ok(()) => {
            cookies::remove_link_token(jar, ctx);
            // A visitor's browser has no cookies of ours; others are left alone.
            if request.user().is_some() {
                cookies::sign_out(jar, ctx);
            }
            request.flash(Flash::PasswordReset);
            Ok(Response::redirect_to(paths::LOGIN))
        }
        Err(error) => reject(token, form, error, request).await,
    }
}

/// Renders the form with its errors and the weaknesses of its password.
async fn reject_all(
    token: &Secret,
    form: &Submitted<PasswordResetForm>,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, errors) = (request.context, form.errors.clone());
    let found = match form.new_password1.value().filter(|_| !errors.has("new_password1")) {
        Some(password) => {
            flows::account::password_reset::check_password_strength(ctx, token, &password).await
        }
        None => Ok(Vec::new()),
    };
    match found {
        Ok(found) => {
            let rejection = errors.with_weaknesses("new_password1", found).into();
            rerender(token, form, rejection, request).await
        }
        Err(error) => reject(token, form, error, request).await,
    }
}

async fn reject(
    token: &Secret,
    form: &Submitted<PasswordResetForm>,
    error: PasswordResetError,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    match error {
        PasswordResetError::Dead => message_page::dead_link(&request.page).map(Response::Page),
        PasswordResetError::NotTaken(error) => {
            let rejection = Rejection::new_password_rejected("new_password1", error)?;
            rerender(token, form, rejection, request).await
        }
        PasswordResetError::Database(error) => Err(error.into()),
    }
}

/// Renders the form again, or reports that the link is dead.
async fn rerender(
    token: &Secret,
    form: &Submitted<PasswordResetForm>,
    rejection: Rejection,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    match flows::account::password_reset::find_email(request.context, token).await? {
        Some(email) => form.reject_on(&email, rejection, request).await,
        None => message_page::dead_link(&request.page).map(Response::Page),
    }
}

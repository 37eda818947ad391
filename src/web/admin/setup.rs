//! The page on which the first superuser is created, with the link that is printed at start.

use askama::Template;
use rocket::http::Status;
use rocket::{Route, get, post, routes};

use crate::accounts::UserAttributes;
use crate::flows;
use crate::flows::admin::setup::SetupError;
use crate::http::cookies;
use crate::paths;
use crate::types::{Email, Password, Profile, Secret};
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, ParsedForm, Submitted, form};
use crate::web::link_token::LinkToken;
use crate::web::message_page;
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![follow_link, new, create, create_with_token]
}

form! {
    struct SetupForm {
        email: Field<Email>,
        password1: Field<Password>,
        password2: Field<Option<Password>>,
    }
    same: password2 == password1;
}

impl ParsedForm for SetupForm {
    type Parsed = (Email, Password);

    fn parsed(&self) -> Option<Self::Parsed> {
        Some((self.email.value()?, self.password1.value()?))
    }
}

impl SetupForm {
    /// Returns what is known about the user, ignoring fields that do not parse.
    fn user_attributes(&self) -> UserAttributes {
        UserAttributes { email: self.email.value(), profile: Profile::default() }
    }
}

#[derive(Template)]
#[template(path = "admin/setup.html")]
struct SetupPage<'a> {
    page: &'a PageContext,
    form: FormView,
    min_length: u8,
}

impl FormPage for SetupForm {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        let min_length = request.context.settings.password_min_length;
        Page::render(&SetupPage { page: &request.page, form, min_length })
    }
}

/// Moves the token from the URL to a cookie before a page is rendered. Only the form uses the link
/// up.
#[get("/admin/setup/<token>")]
async fn follow_link(token: LinkToken, request: RequestContext<'_>) -> Result<Response, Error> {
    let token = token.secret();
    if !flows::admin::setup::is_link_valid(request.context, token).await? {
        return invalid_link(token, &request).await.map(Response::Page);
    }
    // So that the token is in no history, `Referer` or screenshot.
    cookies::set_link_token(request.cookies, request.context, token.expose());
    Ok(Response::redirect_to(paths::ADMIN_SETUP))
}

/// Renders the page for a link that does not work; the site may be set up already.
async fn invalid_link(token: &Secret, request: &RequestContext<'_>) -> Result<Page, Error> {
    if flows::admin::setup::is_finished(request.context, token).await? {
        return message_page::not_found(&request.page, "setup.already.title", "setup.already.text");
    }
    Err(Status::NotFound.into())
}

#[get("/admin/setup")]
async fn new(request: RequestContext<'_>) -> Result<Page, Error> {
    let (ctx, jar) = (request.context, request.cookies);
    let token = cookies::link_token(jar, ctx);
    if flows::admin::setup::is_link_valid(ctx, &token).await? {
        return SetupForm::render(FormView::empty(""), &(), &request).await;
    }
    // Such a browser probably stores no cookies, and the link may be valid.
    if !cookies::has_any_of_ours(jar, ctx) {
        return message_page::no_cookies(&request.page);
    }
    invalid_link(&token, &request).await
}

#[post("/admin/setup", data = "<form>")]
async fn create(
    form: Submitted<SetupForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let token = cookies::link_token(request.cookies, request.context);
    create_superuser(&token, &form, &request).await
}

/// Runs a form that is sent to the link's own URL.
#[post("/admin/setup/<token>", data = "<form>")]
async fn create_with_token(
    token: LinkToken,
    form: Submitted<SetupForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    create_superuser(token.secret(), &form, &request).await
}

async fn create_superuser(
    token: &Secret,
    form: &Submitted<SetupForm>,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let Some((email, password)) = form.parsed() else {
        return reject_all(token, form, request).await;
    };
    let (ctx, info) = (request.context, request.info);
    let language = request.page.language();
    let created =
        flows::admin::setup::create_superuser_by_link(ctx, token, email, language, password, info);
    match created.await {
        Ok(tokens) => {
            request.log_in(&tokens);
            cookies::remove_link_token(request.cookies, ctx);
            Ok(Response::redirect_to(paths::MYPAGE))
        }
        Err(error) => reject(token, form, error, request).await,
    }
}

/// Renders the form with its errors and the weaknesses of its password.
async fn reject_all(
    token: &Secret,
    form: &Submitted<SetupForm>,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, errors) = (request.context, form.errors.clone());
    let Some(password) = form.password1.value().filter(|_| !errors.has("password1")) else {
        return form.reject(errors.into(), request).await;
    };
    let user = form.user_attributes();
    match flows::admin::setup::check_password_strength(ctx, token, &password, user).await {
        Ok(found) => form.reject(errors.with_weaknesses("password1", found).into(), request).await,
        Err(error) => reject(token, form, error, request).await,
    }
}

async fn reject(
    token: &Secret,
    form: &Submitted<SetupForm>,
    error: SetupError,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let rejection = match error {
        SetupError::BadLink => return invalid_link(token, request).await.map(Response::Page),
        SetupError::EmailTaken => Rejection::on_field("email", "email.taken"),
        SetupError::LocalEmail => Rejection::on_field("email", "email.local"),
        SetupError::PasswordRejected(error) => {
            Rejection::new_password_rejected("password1", error)?
        }
        SetupError::Database(error) => return Err(error.into()),
    };
    form.reject(rejection, request).await
}

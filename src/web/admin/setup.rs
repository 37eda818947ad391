//! The page on which the first superuser is created, with the link that is printed at start.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use crate::accounts::UserAttributes;
use crate::context::Context;
use crate::flows;
use crate::flows::admin::setup::SetupError;
use crate::http::cookies;
use crate::types::{Email, Name, Password, RequestInfo, Secret};
use crate::web::account::{MY_PAGE, Response};
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![follow_link, new, create, create_with_token]
}

#[derive(FromForm, Validate)]
struct SetupForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "password1", code = "password.differs"))]
    password2: String,
}

impl Form for SetupForm {
    const FIELDS: &'static [&'static str] = &["email", "password1", "password2"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        vec![("email", &self.email)]
    }
}

impl SetupForm {
    /// Returns the attributes that a password is compared with, also when other fields are wrong.
    fn user_attributes(&self) -> UserAttributes {
        let email = Email::parse(&self.email).ok();
        UserAttributes { email, name: Name::default(), date_of_birth: None }
    }
}

#[derive(Template)]
#[template(path = "admin/setup.html")]
struct SetupPage {
    page: PageContext,
    form: FormView,
    min_length: u8,
}

/// Moves the token from the URL into a cookie before a page is rendered, so that it is in no
/// history, no Referer and no screenshot. Opening the page does not use the link up.
#[get("/admin/setup/<token>")]
async fn follow_link(
    token: &str,
    page: PageContext,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let secret = Secret::new(token.to_owned());
    if !flows::admin::setup::is_link_valid(ctx, &secret).await? {
        return invalid_link(page, ctx, &secret).await.map(Response::Page);
    }
    cookies::set_link_token(jar, ctx, token);
    Ok(Response::Redirect(Redirect::to("/admin/setup")))
}

/// Renders the page for a link that does not work; the site may be set up already.
async fn invalid_link(page: PageContext, ctx: &Context, token: &Secret) -> Result<Page, Error> {
    if flows::admin::setup::is_finished(ctx, token).await? {
        return message_page::not_found(page, ("setup.already.title", "setup.already.text"));
    }
    Err(Status::NotFound.into())
}

#[get("/admin/setup")]
async fn new(page: PageContext, ctx: &State<Context>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    let token = cookies::link_token(jar, ctx);
    if !flows::admin::setup::is_link_valid(ctx, &token).await? {
        let takes_cookies = cookies::has_any_of_ours(jar, ctx);
        return if takes_cookies {
            invalid_link(page, ctx, &token).await
        } else {
            message_page::no_cookies(page)
        };
    }
    render(page, FormView::empty(""), ctx)
}

#[post("/admin/setup", data = "<sent>")]
async fn create(
    sent: Submitted<SetupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    create_superuser(&cookies::link_token(jar, ctx), &sent, page, info, ctx, jar).await
}

/// Accepts a form that is sent to the link itself.
#[post("/admin/setup/<token>", data = "<sent>")]
async fn create_with_token(
    token: &str,
    sent: Submitted<SetupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    create_superuser(&Secret::new(token.to_owned()), &sent, page, info, ctx, jar).await
}

async fn create_superuser(
    token: &Secret,
    sent: &Submitted<SetupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &Context,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let form = &sent.form;
    let errors = sent.errors(form.validate());
    if !errors.is_empty() {
        let found = match errors.unchecked_password("password1", &form.password1) {
            Some(password) => {
                flows::admin::setup::check_password_strength(
                    ctx,
                    token,
                    &password,
                    form.user_attributes(),
                )
                .await
            }
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => {
                rerender(page, form, &errors.with_weaknesses("password1", found).into(), ctx)
            }
            Err(error) => reject(page, form, error, ctx, token).await,
        };
    }
    let holds = "the rules hold, and they are these parsers";
    let email = Email::parse(&form.email).expect(holds);
    let password = Password::parse(&form.password1).expect(holds);
    match flows::admin::setup::create_superuser_by_link(
        ctx,
        token,
        (email, page.language()),
        password,
        info,
    )
    .await
    {
        Ok(tokens) => {
            cookies::sign_in(jar, ctx, &tokens);
            cookies::remove_link_token(jar, ctx);
            Ok(Response::Redirect(Redirect::to(MY_PAGE)))
        }
        Err(error) => reject(page, form, error, ctx, token).await,
    }
}

async fn reject(
    page: PageContext,
    form: &SetupForm,
    error: SetupError,
    ctx: &Context,
    token: &Secret,
) -> Result<Response, Error> {
    let rejection = match error {
        SetupError::BadLink => return invalid_link(page, ctx, token).await.map(Response::Page),
        SetupError::EmailTaken => Rejection::on_field("email", "email.taken"),
        SetupError::LocalEmail => Rejection::on_field("email", "email.local"),
        SetupError::PasswordRejected(error) => {
            Rejection::new_password_rejected("password1", error)?
        }
        SetupError::Broken(error) => return Err(error.into()),
    };
    rerender(page, form, &rejection, ctx)
}

fn rerender(
    page: PageContext,
    form: &SetupForm,
    rejection: &Rejection,
    ctx: &Context,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, ctx)?)))
}

fn render(page: PageContext, form: FormView, ctx: &Context) -> Result<Page, Error> {
    let min_length = ctx.settings.password_min_length;
    Page::render(&SetupPage { page, form, min_length })
}

//! Making the first superuser with the link that is printed at start.

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
    routes![arrive, new, create, create_at_once]
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
    /// What is known of the person, whatever else is wrong with the form.
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

/// The token goes from the address into a cookie before a page is drawn, so that it stands in no
/// history, no Referer and no screenshot. Looking uses nothing up: only the form does.
#[get("/admin/setup/<token>")]
async fn arrive(
    token: &str,
    page: PageContext,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let secret = Secret::new(token.to_owned());
    if !flows::admin::setup::is_link_valid(ctx, &secret).await? {
        return dead(page, ctx, &secret).await.map(Response::Page);
    }
    cookies::set_link_token(jar, ctx, token);
    Ok(Response::Redirect(Redirect::to("/admin/setup")))
}

/// The page for a link that does nothing: the site may be set up already.
async fn dead(page: PageContext, ctx: &Context, token: &Secret) -> Result<Page, Error> {
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
            dead(page, ctx, &token).await
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
    make(&cookies::link_token(jar, ctx), &sent, page, info, ctx, jar).await
}

/// The same for whoever sends the form to the link itself.
#[post("/admin/setup/<token>", data = "<sent>")]
async fn create_at_once(
    token: &str,
    sent: Submitted<SetupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    make(&Secret::new(token.to_owned()), &sent, page, info, ctx, jar).await
}

async fn make(
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
        SetupError::BadLink => return dead(page, ctx, token).await.map(Response::Page),
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

//! The reauthentication page, on the way to something dangerous.

use askama::Template;
use rocket::form::FromForm;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use url::form_urlencoded;
use validator::Validate;

use super::login_methods;
use super::login_methods::LoginMethod;
use super::{MY_PAGE, Response};
use crate::context::Context;
use crate::flows;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::types::{Password, RequestInfo};
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

/// Returns the redirect to the reauthentication page, which leads back to this page.
pub(in crate::web) fn redirect(page: &PageContext) -> Redirect {
    redirect_for(page.path_and_query())
}

/// Returns the redirect to the reauthentication page, which goes on to a path of this site.
pub(in crate::web) fn redirect_for(next: &str) -> Redirect {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Redirect::to(format!("/account/sudo?next={next}"))
}

#[derive(FromForm, Validate)]
struct ReauthenticationForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    password: String,
    #[field(default = String::new())]
    next: String,
}

impl Form for ReauthenticationForm {
    const FIELDS: &'static [&'static str] = &["password"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    fn next(&self) -> &str {
        &self.next
    }
}

#[derive(Template)]
#[template(path = "account/reauthentication.html")]
struct ReauthenticationPage {
    page: PageContext,
    form: FormView,
    has_password: bool,
    login_methods: Vec<LoginMethod>,
}

#[get("/account/sudo?<next>")]
async fn new(
    next: Option<&str>,
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    render(page, FormView::empty(next.unwrap_or_default()), &signed_in, ctx).await
}

#[post("/account/sudo", data = "<sent>")]
async fn create(
    sent: Submitted<ReauthenticationForm>,
    signed_in: SignedIn,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let form = &sent.form;
    let errors = sent.errors(form.validate());
    if !errors.is_empty() {
        return rerender(page, form, &errors.into(), &signed_in, ctx).await;
    }
    let password = Password::parse(&form.password);
    let password = password.expect("the rules hold, and they are this parser");
    let whose = (&signed_in.user().email, signed_in.session());
    match flows::account::reauthentication::with_password(ctx, whose, password, info).await {
        Ok(()) => Ok(Response::Redirect(Redirect::to(next::after_login(&form.next, MY_PAGE)))),
        Err(error) => {
            let rejection = Rejection::not_authenticated(&page, "password", error)?;
            rerender(page, form, &rejection, &signed_in, ctx).await
        }
    }
}

async fn rerender(
    page: PageContext,
    form: &ReauthenticationForm,
    rejection: &Rejection,
    reader: &SignedIn,
    ctx: &Context,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, reader, ctx).await?)))
}

/// Renders the page; a user without a password reauthenticates by a provider.
async fn render(
    page: PageContext,
    form: FormView,
    reader: &SignedIn,
    ctx: &Context,
) -> Result<Page, Error> {
    let has_password = reader.user().has_password;
    let (login_methods, origins) = if has_password {
        Default::default()
    } else {
        login_methods::list_of_user(ctx, &page, reader.user().id).await?
    };
    Ok(Page::render(&ReauthenticationPage { page, form, has_password, login_methods })?
        .with_form_action(origins))
}

//! The page for changing the password.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::{MY_PAGE, Response};
use crate::context::Context;
use crate::flows;
use crate::flows::account::password_change::PasswordChangeError;
use crate::http::guards::SignedIn;
use crate::sessions::AuthError;
use crate::types::{Password, RequestInfo};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![edit, update]
}

#[derive(FromForm, Validate)]
struct PasswordChangeForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    old_password: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::password"))]
    new_password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "new_password1", code = "password.differs"))]
    new_password2: String,
}

impl Form for PasswordChangeForm {
    const FIELDS: &'static [&'static str] = &["old_password", "new_password1", "new_password2"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/password_change.html")]
struct PasswordChangePage {
    page: PageContext,
    form: FormView,
    min_length: u8,
}

#[get("/account/password/change")]
fn edit(_signed_in: SignedIn, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    render(page, FormView::empty(""), ctx)
}

#[post("/account/password/change", data = "<sent>")]
async fn update(
    sent: Submitted<PasswordChangeForm>,
    signed_in: SignedIn,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let form = &sent.form;
    let email = &signed_in.user().email;
    let errors = sent.errors(form.validate());
    if !errors.is_empty() {
        let found = match errors.unchecked_password("new_password1", &form.new_password1) {
            Some(new) => {
                flows::account::password_change::check_password_strength(ctx, email, &new).await
            }
            None => Ok(Vec::new()),
        };
        return match found {
            Ok(found) => {
                rerender(page, form, &errors.with_weaknesses("new_password1", found).into(), ctx)
            }
            Err(error) => reject(page, form, error, ctx),
        };
    }
    let holds = "the rules hold, and they are this parser";
    let old = Password::parse(&form.old_password).expect(holds);
    let new = Password::parse(&form.new_password1).expect(holds);
    match flows::account::password_change::change(
        ctx,
        (email, signed_in.session()),
        old,
        new.clone(),
        info,
    )
    .await
    {
        Ok(()) => {
            Flash::PasswordChanged.set(jar, ctx);
            Ok(Response::Redirect(Redirect::to(MY_PAGE)))
        }
        // The weaknesses of the new password are shown together with the wrong old one.
        Err(PasswordChangeError::NotProved(AuthError::WrongCredentials)) => {
            let wrong = Rejection::on_field("old_password", "password.wrong").errors;
            match flows::account::password_change::check_password_strength(ctx, email, &new).await {
                Ok(found) => {
                    rerender(page, form, &wrong.with_weaknesses("new_password1", found).into(), ctx)
                }
                Err(error) => reject(page, form, error, ctx),
            }
        }
        Err(error) => reject(page, form, error, ctx),
    }
}

fn reject(
    page: PageContext,
    form: &PasswordChangeForm,
    error: PasswordChangeError,
    ctx: &Context,
) -> Result<Response, Error> {
    let rejection = match error {
        PasswordChangeError::NotProved(error) => {
            Rejection::not_authenticated(&page, "old_password", error)?
        }
        PasswordChangeError::NotTaken(error) => {
            Rejection::new_password_rejected("new_password1", error)?
        }
        PasswordChangeError::Broken(error) => return Err(error.into()),
    };
    rerender(page, form, &rejection, ctx)
}

fn rerender(
    page: PageContext,
    form: &PasswordChangeForm,
    rejection: &Rejection,
    ctx: &Context,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, ctx)?)))
}

fn render(page: PageContext, form: FormView, ctx: &Context) -> Result<Page, Error> {
    let min_length = ctx.settings.password_min_length;
    Page::render(&PasswordChangePage { page, form, min_length })
}

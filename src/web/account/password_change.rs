//! The page for changing the password.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Route, get, post, routes};

use crate::flows;
use crate::flows::account::password_change::PasswordChangeError;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::sessions::AuthError;
use crate::types::Password;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormErrors, FormPage, FormView, ParsedForm, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![edit, update, well_known]
}

form! {
    struct PasswordChangeForm {
        old_password: Field<Password>,
        new_password1: Field<Password>,
        new_password2: Field<Option<Password>>,
    }
    same: new_password2 == new_password1;
}

impl ParsedForm for PasswordChangeForm {
    /// The old password and the new one.
    type Parsed = (Password, Password);

    fn parsed(&self) -> Option<Self::Parsed> {
        Some((self.old_password.value()?, self.new_password1.value()?))
    }
}

#[derive(Template)]
#[template(path = "account/password_change.html")]
struct PasswordChangePage<'a> {
    page: &'a PageContext,
    form: FormView,
    min_length: u8,
}

impl FormPage for PasswordChangeForm {
    async fn render(form: FormView, (): &(), request: &RequestContext<'_>) -> Result<Page, Error> {
        let min_length = request.context.settings.password_min_length;
        Page::render(&PasswordChangePage { page: &request.page, form, min_length })
    }
}

/// Leads password managers to the page ("A well-known URL for changing passwords", W3C).
#[get("/.well-known/change-password")]
fn well_known() -> Redirect {
    Redirect::to(paths::PASSWORD_CHANGE)
}

#[get("/account/password/change")]
async fn edit(_signed_in: SignedIn, request: RequestContext<'_>) -> Result<Page, Error> {
    PasswordChangeForm::render(FormView::empty(""), &(), &request).await
}

#[post("/account/password/change", data = "<form>")]
async fn update(
    form: Submitted<PasswordChangeForm>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let Some((old, new)) = form.parsed() else {
        return reject_all(&form, form.errors.clone(), &signed_in, &request).await;
    };
    let (ctx, info) = (request.context, request.info);
    let (email, session) = (&signed_in.user().email, signed_in.session());
    match flows::account::password_change::change(ctx, email, session, old, new, info).await {
        Ok(()) => {
            request.flash(Flash::PasswordChanged);
            Ok(Response::redirect_to(paths::MYPAGE))
        }
        // The weaknesses of the new password are shown together with the wrong old one.
        Err(PasswordChangeError::NotProved(AuthError::WrongCredentials)) => {
            let wrong = Rejection::on_field("old_password", "password.wrong").errors;
            reject_all(&form, wrong, &signed_in, &request).await
        }
        Err(error) => form.reject(rejection(error, &request)?, &request).await,
    }
}

/// Renders the form with these errors and the weaknesses of its new password.
async fn reject_all(
    form: &Submitted<PasswordChangeForm>,
    errors: FormErrors,
    signed_in: &SignedIn,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let Some(new) = form.new_password1.value().filter(|_| !errors.has("new_password1")) else {
        return form.reject(errors.into(), request).await;
    };
    let email = &signed_in.user().email;
    let rejection = match flows::account::password_change::check_password_strength(
        request.context,
        email,
        &new,
    )
    .await
    {
        Ok(found) => errors.with_weaknesses("new_password1", found).into(),
        Err(error) => rejection(error, request)?,
    };
    form.reject(rejection, request).await
}

fn rejection(error: PasswordChangeError, request: &RequestContext<'_>) -> Result<Rejection, Error> {
    match error {
        PasswordChangeError::NotProved(error) => {
            Rejection::not_authenticated(&request.page, "old_password", error)
        }
        PasswordChangeError::NotTaken(error) => {
            Rejection::new_password_rejected("new_password1", error)
        }
        PasswordChangeError::Database(error) => Err(error.into()),
    }
}

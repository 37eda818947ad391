//! The button on My page that sends the verification e-mail again.

use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, post, routes};

use super::{MY_PAGE, Response};
use crate::context::Context;
use crate::flows;
use crate::flows::account::email_verification::ResendError;
use crate::http::guards::SignedIn;
use crate::throttle::ThrottleError;
use crate::types::RequestInfo;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::message_page;
use crate::web::page::PageContext;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

#[post("/account/email/verify", data = "<_sent>")]
async fn create(
    _sent: Submitted<ButtonForm>,
    signed_in: SignedIn,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let done =
        match flows::account::email_verification::resend(ctx, signed_in.user().id, info).await {
            Ok(()) => Flash::VerificationSent,
            Err(ResendError::AlreadyVerified) => Flash::EmailVerified,
            // No page shows the button when verification is off.
            Err(ResendError::Disabled) => return Ok(Response::Redirect(Redirect::to(MY_PAGE))),
            Err(ResendError::NotNow(ThrottleError::TooSoon(wait))) => {
                return message_page::too_soon(page, wait).map(Response::Page);
            }
            Err(ResendError::NotNow(ThrottleError::Broken(error)) | ResendError::Broken(error)) => {
                return Err(error.into());
            }
        };
    done.set(jar, ctx);
    Ok(Response::Redirect(Redirect::to(MY_PAGE)))
}

//! The button on My page that sends the verification e-mail again.

use rocket::{Route, post, routes};

use crate::flows;
use crate::flows::account::email_verification::ResendError;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::throttle::ThrottleError;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::message_page;
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

#[post("/account/email/verify", data = "<_form>")]
async fn create(
    _form: Submitted<ButtonForm>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, user) = (request.context, signed_in.user().id);
    match flows::account::email_verification::resend(ctx, user, request.info).await {
        Ok(()) => request.flash(Flash::VerificationSent),
        Err(ResendError::AlreadyVerified) => request.flash(Flash::EmailVerified),
        // No page shows the button when verification is off.
        Err(ResendError::Disabled) => {}
        Err(ResendError::NotNow(ThrottleError::TooSoon(wait))) => {
            return message_page::too_soon(&request.page, wait).map(Response::Page);
        }
        Err(ResendError::NotNow(ThrottleError::Database(error)) | ResendError::Database(error)) => {
            return Err(error.into());
        }
    }
    Ok(Response::redirect_to(paths::MYPAGE))
}

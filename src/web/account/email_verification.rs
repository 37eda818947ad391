//! Sending the link that proves an address once more.

use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, post, routes};

use super::{Answer, MY_PAGE};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::email_verification::SendAgainError;
use crate::http::guards::SignedIn;
use crate::throttle::ThrottleError;
use crate::types::Caller;
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::message_page;
use crate::web::page::Frame;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

#[post("/account/email/verify", data = "<_sent>")]
async fn create(
    _sent: Submitted<ButtonForm>,
    signed_in: SignedIn,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let done =
        match flows::account::email_verification::send_again(ctx, signed_in.person().id, caller)
            .await
        {
            Ok(()) => Notice::VerificationSent,
            Err(SendAgainError::Done) => Notice::EmailVerified,
            // No page of such a site has the button.
            Err(SendAgainError::Off) => return Ok(Answer::Gone(Redirect::to(MY_PAGE))),
            Err(SendAgainError::NotNow(ThrottleError::TooSoon(wait))) => {
                return message_page::too_soon(frame, wait).map(Answer::Shown);
            }
            Err(
                SendAgainError::NotNow(ThrottleError::Broken(error))
                | SendAgainError::Broken(error),
            ) => {
                return Err(error.into());
            }
        };
    done.say(jar, ctx);
    Ok(Answer::Gone(Redirect::to(MY_PAGE)))
}

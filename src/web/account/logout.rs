//! Logging out, always by POST.
//!
//! The browser also forgets its copies of personal pages. The response clears what is cached so
//! far; the page with the button is cached only afterwards, for the Back button, so the next page
//! fetches `/account/logout/forget`, which clears the cache again (`templates/base.html`).

use rocket::http::{CookieJar, Header};
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, post, routes};

use crate::context::Context;
use crate::flows;
use crate::http::cookies;
use crate::http::guards::Visitor;
use crate::types::RequestInfo;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Submitted};

pub(crate) fn routes() -> Vec<Route> {
    routes![create, forget]
}

/// The header by which browsers drop what they stored for the site (W3C Clear Site Data).
const CLEAR: &str = "Clear-Site-Data";

/// Logs the browser out and redirects to the front page.
#[derive(Responder)]
pub(crate) struct LoggedOut {
    to: Redirect,
    clear: Header<'static>,
}

impl LoggedOut {
    pub(crate) fn of(jar: &CookieJar<'_>, ctx: &Context) -> Self {
        cookies::sign_out(jar, ctx);
        Self::of_a_stranger()
    }

    fn of_a_stranger() -> Self {
        let clear = Header::new(CLEAR, "\"cache\", \"storage\"");
        Self { to: Redirect::to("/"), clear }
    }
}

/// Logs out. A visitor is logged out already and gets the same answer.
#[post("/account/logout", data = "<_sent>")]
async fn create(
    _sent: Submitted<ButtonForm>,
    visitor: Visitor,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<LoggedOut, Error> {
    Flash::LoggedOut.set(jar, ctx);
    match visitor {
        Visitor(Some(user)) => {
            flows::account::logout::log_out(ctx, user.session(), user.user().id, info).await?;
            Ok(LoggedOut::of(jar, ctx))
        }
        // Cookies of an ended session are already gone; other cookies are not ours.
        Visitor(None) => Ok(LoggedOut::of_a_stranger()),
    }
}

/// An empty response that clears the cache.
#[derive(Responder)]
#[response(status = 204)]
struct Forgotten {
    nothing: (),
    clear: Header<'static>,
}

#[get("/account/logout/forget")]
fn forget() -> Forgotten {
    Forgotten { nothing: (), clear: Header::new(CLEAR, "\"cache\"") }
}

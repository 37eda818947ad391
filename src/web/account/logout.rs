//! Logging out; never by a link.
//!
//! What a browser has kept of personal pages goes too. What it had kept goes with the answer; the page
//! on which the button stood is put aside only after that, for the Back button, so the next page
//! fetches one thing more that has it forgotten (`templates/base.html`).

use rocket::http::{CookieJar, Header};
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, post, routes};

use crate::context::Ctx;
use crate::flows;
use crate::http::cookies;
use crate::http::guards::Visitor;
use crate::types::Caller;
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Submitted};

pub(crate) fn routes() -> Vec<Route> {
    routes![create, forget]
}

/// What browsers take for "forget the pages of this site" (W3C Clear Site Data).
const CLEAR: &str = "Clear-Site-Data";

/// The browser is signed out, and stands at the front page.
#[derive(Responder)]
pub(crate) struct LoggedOut {
    to: Redirect,
    clear: Header<'static>,
}

impl LoggedOut {
    pub(crate) fn of(jar: &CookieJar<'_>, ctx: &Ctx) -> Self {
        cookies::sign_out(jar, ctx);
        Self::of_a_stranger()
    }

    fn of_a_stranger() -> Self {
        let clear = Header::new(CLEAR, "\"cache\", \"storage\"");
        Self { to: Redirect::to("/"), clear }
    }
}

/// Whoever is not signed in is signed out already.
#[post("/account/logout", data = "<_sent>")]
async fn create(
    _sent: Submitted<ButtonForm>,
    visitor: Visitor,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<LoggedOut, Error> {
    Flash::LoggedOut.set(jar, ctx);
    match visitor {
        Visitor(Some(person)) => {
            flows::account::logout::log_out(ctx, person.session(), person.person().id, caller)
                .await?;
            Ok(LoggedOut::of(jar, ctx))
        }
        // Cookies of a session that is over are gone already; what is left is not ours.
        Visitor(None) => Ok(LoggedOut::of_a_stranger()),
    }
}

/// Nothing, and the browser forgets the pages of this site.
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

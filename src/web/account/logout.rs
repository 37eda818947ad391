//! Logging out; never by a link.

use rocket::http::{CookieJar, Header};
use rocket::response::Redirect;
use rocket::{Responder, Route, State, post, routes};

use crate::ctx::Ctx;
use crate::flows::logout;
use crate::http::cookies;
use crate::http::guards::Visitor;
use crate::types::Caller;
use crate::web::error::Error;
use crate::web::form::{ButtonForm, Submitted};

pub(super) fn routes() -> Vec<Route> {
    routes![create]
}

/// The browser is signed out, and stands at the front page.
#[derive(Responder)]
pub(super) struct LoggedOut {
    to: Redirect,
    clear: Header<'static>,
}

impl LoggedOut {
    pub(super) fn of(jar: &CookieJar<'_>, ctx: &Ctx) -> Self {
        cookies::sign_out(jar, ctx);
        // What the browser has kept of personal pages goes too (W3C Clear Site Data).
        let clear = Header::new("Clear-Site-Data", "\"cache\", \"storage\"");
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
    if let Visitor(Some(person)) = visitor {
        logout::log_out(ctx, person.session(), person.person().id, caller).await?;
    }
    Ok(LoggedOut::of(jar, ctx))
}

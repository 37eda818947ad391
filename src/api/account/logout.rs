//! Logging out.
//!
//! Always works: whatever the credentials are worth, the browser's cookies are gone afterwards, and
//! each session of which a good token was shown is over.

use rocket::http::CookieJar;
use rocket::{Route, State, post, routes};

use super::{Detail, Said};
use crate::api::body::Body;
use crate::api::credentials::Anybody;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::api::openapi::{Described, HttpMethod, Kind, Section, may, open};
use crate::context::Ctx;
use crate::flows;
use crate::http::cookies;
use crate::http::cookies::TokenCookies;
use crate::sessions;
use crate::types::Caller;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route =
        open(HttpMethod::Post, "/api/account/logout", Section::Account, "openapi.account.logout");
    vec![route.takes([may("refresh", Kind::Text)]).gives::<Detail>(200)]
}

/// A program without cookies shows its refresh token in the body.
#[post("/api/account/logout", data = "<body>")]
async fn create(
    body: Body,
    who: Anybody,
    sent: TokenCookies<'_>,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Said, Error> {
    let in_body = Fields::of(&body).optional_text("refresh");
    let shown = [in_body.as_deref(), sent.refresh];
    let named = shown.into_iter().flatten().filter_map(|token| sessions::named_by(ctx, token).ok());
    let signed_in = who.0.map(|person| (person.session(), person.person().id));
    let mut over = Vec::new();
    for (session, user) in named.chain(signed_in) {
        if !over.contains(&session) {
            flows::account::logout::log_out(ctx, session, user, caller).await?;
            over.push(session);
        }
    }
    cookies::sign_out(jar, ctx);
    Ok(Said::ok("api.logout.done"))
}

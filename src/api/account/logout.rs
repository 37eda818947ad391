//! Logs out: removes the browser's cookies, and ends each session of which a valid token was sent.

use rocket::http::CookieJar;
use rocket::{Route, State, post, routes};

use super::{Detail, DetailResponse};
use crate::api::body::Body;
use crate::api::credentials::MaybeAuthenticated;
use crate::api::error::Error;
use crate::api::fields::FieldReader;
use crate::api::openapi::{
    Credentials, Endpoint, FieldType, HttpMethod, Section, optional, public,
};
use crate::context::Context;
use crate::flows;
use crate::http::cookies;
use crate::http::cookies::TokenCookies;
use crate::paths;
use crate::sessions;
use crate::types::RequestInfo;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route =
        public(HttpMethod::Post, paths::API_LOGOUT, Section::Account, "openapi.account.logout");
    let route = route.credentials(Credentials::Optional).says("api.logout.done");
    vec![route.body([optional("refresh", FieldType::Text)]).returns::<Detail>(200)]
}

/// Logs out. A client without cookies sends its refresh token in the body.
#[post("/api/account/logout", data = "<body>")]
async fn create(
    body: Body,
    who: MaybeAuthenticated,
    sent: TokenCookies<'_>,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<DetailResponse, Error> {
    // Errors are not reported: a log-out always succeeds.
    let in_body = FieldReader::of(&body).optional_text("refresh");
    let shown = [in_body.as_deref(), sent.refresh];
    let named =
        shown.into_iter().flatten().filter_map(|token| sessions::session_id_in(ctx, token).ok());
    let signed_in = who.0.map(|user| (user.session(), user.user().id));
    let mut over = Vec::new();
    for (session, user) in named.chain(signed_in) {
        // Cookies and body usually name the same session.
        if !over.contains(&session) {
            flows::account::logout::log_out(ctx, session, user, info).await?;
            over.push(session);
        }
    }
    cookies::sign_out(jar, ctx);
    Ok(DetailResponse::ok("api.logout.done"))
}

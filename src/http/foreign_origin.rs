//! What requests of other origins may do, and forms that a browser may have sent for one.
//!
//! `csrf` asks about every unsafe request, `api` about the forms among its bodies.

use rocket::Request;
use rocket::http::Status;

use super::{cookies, cors, guards, refusals, request_info};
use crate::context::Context;
use crate::crypto::jwt::TokenError;
use crate::paths;
use crate::sessions;
use crate::sessions::AccessError;

/// A status, and the reason for the log.
pub(super) type Rejection = (Status, &'static str);

pub(super) fn is_api(request: &Request<'_>) -> bool {
    paths::is_at_or_below(request.uri().path().as_str(), paths::API_REFERENCE)
}

/// Returns whether the browser says that a request comes from elsewhere. Browsers that say nothing
/// are left to the form token.
pub(super) fn is_foreign(ctx: &Context, request: &Request<'_>) -> bool {
    let header = |name| request.headers().get_one(name);
    let is_other_site =
        header("Sec-Fetch-Site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let is_other_origin =
        header("Origin").is_some_and(|origin| !ctx.settings.public_url.is_origin(origin));
    is_other_site || is_other_origin
}

/// Returns whether an endpoint sets cookies. A page of another site must not sign a browser in or out,
/// although browsers would not keep the cookies: they are `SameSite=Lax`.
fn sets_cookies(request: &Request<'_>) -> bool {
    const ENDPOINTS: [&str; 5] = [
        paths::API_LOGIN,
        paths::API_SIGNUP,
        paths::API_REGISTRATION,
        paths::API_LOGOUT,
        paths::API_ACCOUNT_TOKEN_REFRESH,
    ];
    // Decoded and without a slash at the end, as Rocket finds the route.
    let path = request.uri().path().segments().filter(|segment| !segment.is_empty());
    let path = path.fold(String::new(), |path, segment| path + "/" + segment);
    let slug = path.strip_prefix(&paths::api_social_login(""));
    ENDPOINTS.contains(&path.as_str()) || slug.is_some_and(|slug| !slug.contains('/'))
}

/// Returns how an unsafe request of another origin is refused.
pub(super) async fn rejection_of_foreign(
    ctx: &Context,
    request: &Request<'_>,
) -> Option<Rejection> {
    let path = request.uri().path().as_str();
    let has_cookies = cookies::has_any_of_ours(request.cookies(), ctx);
    match cors::allowed_origin(ctx, request).filter(|_| is_api(request)) {
        Some(origin) if origin.is_same_site(&ctx.settings.public_url) => None,
        Some(_) if sets_cookies(request) => Some(FOREIGN),
        Some(_) if !has_cookies => None,
        // Neither reads nor sets a cookie, so no browser lends the request any power.
        None if !has_cookies && paths::is_at_or_below(path, paths::API_TOKEN) => None,
        _ => rejection_without_bearer(ctx, request).await,
    }
}

/// How a foreign request is refused.
const FOREIGN: Rejection = (Status::Forbidden, "foreign_origin");

/// Returns the status that refuses a form sent to the API. Every page can make a browser send a form, and
/// with it the user's cookies, so it needs a Bearer token, which no page of another site can add, or no
/// cookie at all.
pub(crate) async fn form_rejection(ctx: &Context, request: &Request<'_>) -> Option<Status> {
    let has_cookies =
        request.headers().contains("Cookie") || request.cookies().iter().next().is_some();
    if !has_cookies {
        return None;
    }
    let (status, reason) = rejection_without_bearer(ctx, request).await?;
    let reason = if status == Status::Forbidden { "form_with_cookies" } else { reason };
    refusals::set_refused(request, status, reason);
    Some(status)
}

/// Returns how a foreign request is refused; `None` if a valid Bearer token comes with it.
async fn rejection_without_bearer(ctx: &Context, request: &Request<'_>) -> Option<Rejection> {
    let Some(token) = guards::bearer(request) else { return Some(FOREIGN) };
    match sessions::find_by_access_token(ctx, token).await {
        // No page of a foreign origin can make a browser send a Bearer token, so it is not forged.
        Ok(_) => None,
        // An API client whose own token has expired gets 401, or it would never refresh it.
        Err(AccessError::Session(_) | AccessError::Token(TokenError::Expired))
            if is_api(request) =>
        {
            Some((Status::Unauthorized, "token_not_valid"))
        }
        Err(AccessError::Session(_) | AccessError::Token(_)) => Some(FOREIGN),
        // `auth_unavailable` has logged the database error.
        Err(AccessError::Database(error)) => {
            let unknown = guards::auth_unavailable(&error, request_info::of(request, ctx));
            Some((unknown.0, refusals::IS_LOGGED))
        }
    }
}

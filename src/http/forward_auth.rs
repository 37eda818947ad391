//! Forward auth: a proxy asks on behalf of a request to another app who the user is.

use rocket::Request;
use rocket::http::{Method, Status};
use rocket::request::{FromRequest, Outcome};

use super::guards;
use super::guards::SignedIn;
use super::next::SafeNext;
use super::{cookies, request_info};
use crate::context::Context;
use crate::paths;
use crate::sessions;
use crate::sessions::AuthState;

/// Returns whether this is a forward-auth request.
pub(super) fn is_forward_auth(request: &Request<'_>) -> bool {
    // Proxies may use a host name of their own, such as that of a container. The response depends
    // on the credentials alone and names no host but our own, and a browser that was lured here
    // under another name sends no credentials.
    let path = request.uri().path().as_str();
    let is_safe = matches!(request.method(), Method::Get | Method::Head);
    is_safe && path.strip_suffix('/').unwrap_or(path) == paths::API_FORWARD_AUTH
}

/// The user that a proxy asks about, with the names of their groups; `None` without a session.
pub(crate) struct ForwardAuth(pub Option<(SignedIn, Vec<String>)>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for ForwardAuth {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Some(ctx) = request.rocket().state::<Context>() else {
            return Outcome::Error((Status::InternalServerError, ()));
        };
        let credentials = guards::request_credentials(request, ctx);
        let info = request_info::of(request, ctx);
        let authenticated = async {
            // Rotates no refresh token: what is sent with the proxy's response may not reach the
            // browser, which would then lack it.
            let state = sessions::authenticate_forwarded(ctx, credentials, info).await?;
            let AuthState::SignedIn { session, renewed } = state else { return Ok(None) };
            if let Some(tokens) = renewed {
                cookies::send_access_token(request, ctx, &tokens);
            }
            let groups = sessions::group_names(ctx, &session).await?.to_vec();
            Ok(Some((SignedIn::from(session), groups)))
        };
        match authenticated.await {
            Ok(forward_auth) => Outcome::Success(Self(forward_auth)),
            Err(error) => Outcome::Error((guards::auth_unavailable(&error, info).0, ())),
        }
    }
}

/// The request that the proxy asks about.
pub(crate) struct OriginalRequest {
    /// Where it was going, if it can be repeated.
    pub next: Option<SafeNext>,
    /// Whether a user waits for a page. Scripts, images and API clients cannot use a log-in page.
    pub is_visit: bool,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for OriginalRequest {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let header = |name| request.headers().get_one(name);
        let method = header("X-Forwarded-Method").or(header("X-Original-Method"));
        // Only a GET can be repeated by a redirect after the log-in.
        let was_read = method.is_none_or(|method| matches!(method, "GET" | "HEAD"));
        let was_here = header("X-Forwarded-Host").is_none_or(|host| is_ours(request, host));
        let next = header("X-Original-URI").or(header("X-Forwarded-Uri"));
        let is_program = request.headers().contains("Authorization");
        let mode = header("Sec-Fetch-Mode");
        Outcome::Success(Self {
            next: next.filter(|_| was_read && was_here).and_then(SafeNext::parse),
            // Old browsers do not send `Sec-Fetch-Mode`; they are given the log-in page.
            is_visit: !is_program && mode.is_none_or(|mode| mode == "navigate"),
        })
    }
}

/// Returns whether the host that the proxy was asked for is the one that the log-in page leads back
/// to.
fn is_ours(request: &Request<'_>, host: &str) -> bool {
    let ctx = request.rocket().state::<Context>();
    ctx.is_some_and(|ctx| ctx.settings.public_url.is_authority(host))
}

//! Authenticates API requests, and says why a credential was refused.
//!
//! Refreshes no expired token: pages do that silently, API clients do it themselves.

use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};

use super::error::Error;
use super::error_detail::ErrorDetail;
use super::field_errors::{FieldErrors, NON_FIELD_ERRORS};
use crate::context::Context;
use crate::crypto::jwt::TokenError;
use crate::http::cookies;
use crate::http::cookies::TokenCookies;
use crate::http::guards::SignedIn;
use crate::i18n::Sentence;
use crate::sessions;
use crate::sessions::{AccessError, RefreshError, SessionInvalid};
use crate::types::SessionId;

/// The code for every invalid token.
const NOT_VALID: &str = "token_not_valid";

/// A user with a valid access token; fails with 401 and the reason.
pub(crate) struct Authenticated(pub(crate) SignedIn);

/// A user, or `None` for a missing or invalid credential.
pub(crate) struct MaybeAuthenticated(pub(crate) Option<SignedIn>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Authenticated {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match authenticate(request).await {
            Ok(user) => Outcome::Success(Self(user)),
            Err(error) => Outcome::Error((error.store_in(request), ())),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MaybeAuthenticated {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match authenticate(request).await {
            Ok(user) => Outcome::Success(Self(Some(user))),
            // An unavailable database must not make a user look like a visitor.
            Err(error @ Error::Database(_)) => Outcome::Error((error.store_in(request), ())),
            Err(_) => Outcome::Success(Self(None)),
        }
    }
}

/// The credential of a request.
enum Credential<'r> {
    Missing,
    Token(&'r str),
    /// A Bearer header without exactly one token.
    Malformed,
}

async fn authenticate(request: &Request<'_>) -> Result<SignedIn, Error> {
    let Some(ctx) = request.rocket().state::<Context>() else {
        return Err(ErrorDetail::not_found().into());
    };
    let token = match credential(request, ctx) {
        Credential::Token(token) => token,
        Credential::Missing => {
            return Err(
                ErrorDetail::unauthorized("not_authenticated", "api.not_authenticated").into()
            );
        }
        Credential::Malformed => {
            let (code, key) = ("bad_authorization_header", "api.bad_authorization_header");
            return Err(ErrorDetail::unauthorized(code, key).into());
        }
    };
    match sessions::find_by_access_token(ctx, token).await {
        Ok(session) => Ok(SignedIn::from(session)),
        Err(error) => Err(access_error(error)),
    }
}

fn credential<'r>(request: &'r Request<'_>, ctx: &Context) -> Credential<'r> {
    // With a header, of whatever scheme, the cookie is ignored.
    let Some(header) = request.headers().get_one("Authorization") else {
        // An empty cookie was sent as a credential, so it is invalid and not missing.
        let empty = cookies::is_access_empty(request.cookies(), ctx).then_some("");
        return cookies::access(request, ctx)
            .or(empty)
            .map_or(Credential::Missing, Credential::Token);
    };
    let mut words = header.split_whitespace();
    let is_bearer = words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    match (is_bearer, words.next(), words.next()) {
        (false, ..) => Credential::Missing,
        (true, Some(token), None) => Credential::Token(token),
        (true, ..) => Credential::Malformed,
    }
}

/// Returns the session that the browser's cookies name, so that a new log-in can end it; does not
/// check that it is active.
pub(crate) async fn session_in_cookies(
    cookies: &TokenCookies<'_>,
    ctx: &Context,
) -> Result<Option<SessionId>, Error> {
    // The refresh token comes first: it names the session also when the access token has expired.
    let named = cookies.refresh.and_then(|token| sessions::session_id_in(ctx, token).ok());
    if let Some((session, _)) = named {
        return Ok(Some(session));
    }
    let Some(token) = cookies.access else { return Ok(None) };
    match sessions::find_by_access_token(ctx, token).await {
        Ok(session) => Ok(Some(session.session)),
        Err(AccessError::Database(error)) => Err(error.into()),
        Err(AccessError::Token(_) | AccessError::Session(_)) => Ok(None),
    }
}

/// Returns the error for a refused access token.
fn access_error(error: AccessError) -> Error {
    match error {
        AccessError::Token(TokenError::NoUser) => {
            ErrorDetail::unauthorized(NOT_VALID, "api.token.no_user").into()
        }
        AccessError::Token(error) => not_valid_for_any_type(token_message(error)),
        // Details for the holder of a token that we signed, and for no other client.
        AccessError::Session(invalid) => session_error(invalid)
            .unwrap_or_else(|| not_valid_for_any_type(Sentence::new("api.token.blacklisted"))),
        AccessError::Database(error) => error.into(),
    }
}

fn not_valid_for_any_type(why: Sentence) -> Error {
    ErrorDetail::unauthorized(NOT_VALID, "api.token.not_valid")
        .with_access_token_message(why)
        .into()
}

/// Returns the error for a refused refresh token.
pub(crate) fn refresh_error(error: RefreshError) -> Error {
    match error {
        RefreshError::Token(error) => token_error(error),
        RefreshError::Session(SessionInvalid::NotFound | SessionInvalid::UserInactive) => {
            ErrorDetail::unauthorized("no_active_account", "api.token.no_active_account").into()
        }
        RefreshError::Session(invalid) => session_error(invalid).unwrap_or_else(blacklisted),
        RefreshError::Reused => blacklisted(),
        RefreshError::Database(error) => error.into(),
    }
}

/// Returns the error for a token that was checked and is not valid.
pub(crate) fn check_error(error: RefreshError) -> Error {
    match error {
        RefreshError::Token(error) => token_error(error),
        RefreshError::Session(invalid) => {
            session_error(invalid).unwrap_or_else(blacklisted_on_check)
        }
        RefreshError::Reused => blacklisted_on_check(),
        RefreshError::Database(error) => error.into(),
    }
}

fn token_error(error: TokenError) -> Error {
    ErrorDetail::new(Status::Unauthorized, NOT_VALID, token_message(error)).into()
}

fn blacklisted() -> Error {
    ErrorDetail::unauthorized(NOT_VALID, "api.token.blacklisted").into()
}

/// Returns the error for a blacklisted token that was only checked.
fn blacklisted_on_check() -> Error {
    // SimpleJWT reports this as an error of the request, with status 400.
    FieldErrors::on(NON_FIELD_ERRORS, Sentence::new("api.token.blacklisted")).into()
}

/// Returns the error for a session that was not simply ended.
fn session_error(invalid: SessionInvalid) -> Option<Error> {
    let (code, key) = match invalid {
        SessionInvalid::NotFound => ("user_not_found", "api.user_not_found"),
        SessionInvalid::UserInactive => ("user_inactive", "api.user_inactive"),
        SessionInvalid::EmailUnverified => ("email_not_verified", "api.email_not_verified"),
        // Each caller says this in its own way, as SimpleJWT does.
        SessionInvalid::Ended => return None,
    };
    Some(ErrorDetail::unauthorized(code, key).into())
}

fn token_message(error: TokenError) -> Sentence {
    Sentence::new(match error {
        TokenError::Invalid => "api.token.invalid",
        TokenError::Expired => "api.token.expired",
        TokenError::WrongType => "api.token.wrong_type",
        TokenError::NoType => "api.token.no_type",
        TokenError::NoId => "api.token.no_id",
        TokenError::NoExpiry => "api.token.no_expiry",
        TokenError::NoUser => "api.token.no_user",
    })
}

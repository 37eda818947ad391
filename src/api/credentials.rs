//! Who is asking, and if nobody we know, why.
//!
//! An `Authorization` header beats the access cookie: if there is one, of whatever scheme, the cookie is
//! not looked at. A token that has run out is refused; pages renew it silently, programs ask for the
//! next one themselves.

use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};

use super::error::{Error, Refusal};
use super::fields::{Complaints, NON_FIELD};
use crate::context::Ctx;
use crate::crypto::jwt::TokenError;
use crate::http::cookies;
use crate::http::cookies::TokenCookies;
use crate::http::guards::SignedIn;
use crate::i18n::Sentence;
use crate::sessions;
use crate::sessions::{AccessError, Over, RenewError};
use crate::types::SessionId;

/// The code of every token that is refused for itself.
const NOT_VALID: &str = "token_not_valid";

/// Somebody with a good access token: 401 for everybody else, and why.
pub(crate) struct Member(pub(crate) SignedIn);

/// Anybody. A credential that is no good makes a stranger, not an error.
pub(crate) struct Anybody(pub(crate) Option<SignedIn>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Member {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match find_out(request).await {
            Ok(person) => Outcome::Success(Self(person)),
            Err(error) => Outcome::Error((error.leave(request), ())),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Anybody {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match find_out(request).await {
            Ok(person) => Outcome::Success(Self(Some(person))),
            Err(error @ Error::Broken(_)) => Outcome::Error((error.leave(request), ())),
            Err(_) => Outcome::Success(Self(None)),
        }
    }
}

/// What a request shows.
enum Shown<'r> {
    Nothing,
    Token(&'r str),
    /// A header that is no Bearer token.
    Garbled,
}

async fn find_out(request: &Request<'_>) -> Result<SignedIn, Error> {
    let Some(ctx) = request.rocket().state::<Ctx>() else {
        return Err(Refusal::not_found().into());
    };
    let token = match shown(request, ctx) {
        Shown::Token(token) => token,
        Shown::Nothing => {
            return Err(Refusal::unauthorized("not_authenticated", "api.not_authenticated").into());
        }
        Shown::Garbled => {
            let (code, key) = ("bad_authorization_header", "api.bad_authorization_header");
            return Err(Refusal::unauthorized(code, key).into());
        }
    };
    match sessions::by_access(ctx, token).await {
        Ok(living) => Ok(SignedIn::by(living)),
        Err(error) => Err(refused_access(error)),
    }
}

fn shown<'r>(request: &'r Request<'_>, ctx: &Ctx) -> Shown<'r> {
    let Some(header) = request.headers().get_one("Authorization") else {
        // A cookie with nothing in it is a credential that is no good.
        let empty = cookies::is_access_empty(request.cookies(), ctx).then_some("");
        return cookies::access(request, ctx).or(empty).map_or(Shown::Nothing, Shown::Token);
    };
    let mut words = header.split_whitespace();
    let is_bearer = words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    match (is_bearer, words.next(), words.next()) {
        (false, ..) => Shown::Nothing,
        (true, Some(token), None) => Shown::Token(token),
        (true, ..) => Shown::Garbled,
    }
}

/// The session that the cookies of a browser belong to. Whoever signs in there signs it out; whether
/// it is still alive is not asked.
pub(crate) async fn session_of(
    cookies: &TokenCookies<'_>,
    ctx: &Ctx,
) -> Result<Option<SessionId>, Error> {
    let named = cookies.refresh.and_then(|token| sessions::named_by(ctx, token).ok());
    if let Some((session, _)) = named {
        return Ok(Some(session));
    }
    let Some(token) = cookies.access else { return Ok(None) };
    match sessions::by_access(ctx, token).await {
        Ok(living) => Ok(Some(living.session)),
        Err(AccessError::Broken(error)) => Err(error.into()),
        Err(AccessError::Token(_) | AccessError::Over(_)) => Ok(None),
    }
}

/// An access token opens nothing. Only whoever holds one that we have signed learns more than that.
fn refused_access(error: AccessError) -> Error {
    match error {
        AccessError::Token(TokenError::NoUser) => {
            Refusal::unauthorized(NOT_VALID, "api.token.no_user").into()
        }
        AccessError::Token(error) => not_valid_for_any_type(sentence_on(error)),
        AccessError::Over(over) => refused_session(over)
            .unwrap_or_else(|| not_valid_for_any_type(Sentence::new("api.token.blacklisted"))),
        AccessError::Broken(error) => error.into(),
    }
}

fn not_valid_for_any_type(why: Sentence) -> Error {
    Refusal::unauthorized(NOT_VALID, "api.token.not_valid").because_of_access(why).into()
}

/// A refresh token gives nothing.
pub(crate) fn refused_refresh(error: RenewError) -> Error {
    match error {
        RenewError::Token(error) => refused_token(error),
        RenewError::Over(Over::Gone | Over::Inactive) => {
            Refusal::unauthorized("no_active_account", "api.token.no_active_account").into()
        }
        RenewError::Over(over) => refused_session(over).unwrap_or_else(blacklisted),
        RenewError::Reused => blacklisted(),
        RenewError::Broken(error) => error.into(),
    }
}

/// A token of either kind that somebody asks about would not be taken.
pub(crate) fn refused_check(error: RenewError) -> Error {
    match error {
        RenewError::Token(error) => refused_token(error),
        RenewError::Over(over) => refused_session(over).unwrap_or_else(blacklisted_here),
        RenewError::Reused => blacklisted_here(),
        RenewError::Broken(error) => error.into(),
    }
}

fn refused_token(error: TokenError) -> Error {
    Refusal::new(Status::Unauthorized, NOT_VALID, sentence_on(error)).into()
}

fn blacklisted() -> Error {
    Refusal::unauthorized(NOT_VALID, "api.token.blacklisted").into()
}

/// Whoever asks about a token hears it as something that is wrong with the question.
fn blacklisted_here() -> Error {
    Complaints::about(NON_FIELD, Sentence::new("api.token.blacklisted")).into()
}

/// What is to be said of a session that was not simply ended.
fn refused_session(over: Over) -> Option<Error> {
    let (code, key) = match over {
        Over::Gone => ("user_not_found", "api.user_not_found"),
        Over::Inactive => ("user_inactive", "api.user_inactive"),
        Over::Unverified => ("email_not_verified", "api.email_not_verified"),
        Over::Ended => return None,
    };
    Some(Refusal::unauthorized(code, key).into())
}

fn sentence_on(error: TokenError) -> Sentence {
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

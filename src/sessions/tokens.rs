//! Signs and verifies the two tokens of a session.
//!
//! Access tokens are signed with the published keys, refresh tokens with a derived secret. Does not
//! know whether a session is still active.

use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;

use super::IssuedTokens;
use crate::cache::VerifiedToken;
use crate::context::Context;
use crate::crypto::jwt;
use crate::crypto::jwt::{Claims, ExpectedClaims, TokenError};
use crate::crypto::sha256;
use crate::keys;
use crate::types::{Secret, SessionId, UserId};

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

#[derive(Debug, Clone)]
pub struct IssuedToken {
    pub token: Secret,
    pub expires_at: OffsetDateTime,
    /// How long that is from now.
    pub lifetime: time::Duration,
}

/// The claims of a refresh token. A token is signed from these values alone, so equal values give
/// the same token again.
#[derive(Debug, Clone)]
pub(super) struct RefreshToken {
    pub session: SessionId,
    pub user: UserId,
    pub id: String,
    pub issued_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// What the use of an access token confirms about the rotation of its refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirms {
    /// Nothing: there was no rotation, or it is confirmed, or the refresh token is not sent along.
    Nothing,
    /// That the response with the refresh token has arrived. The access token's `jti` begins with
    /// that of the refresh token.
    Rotation,
}

/// Separates the rotation from the rest of a `jti`; not in the alphabet of ids.
const AFTER_ROTATION: char = '.';

/// Signs a refresh token and a new access token with custom claims.
pub(super) fn issue(
    ctx: &Context,
    refresh: &RefreshToken,
    confirms: Confirms,
    custom: Claims,
    now: OffsetDateTime,
) -> IssuedTokens {
    // An access token never outlives its session.
    let expires_at = refresh.expires_at.min(now + ctx.settings.access_token_lifetime);
    let own_id = ctx.random.token_id();
    let id = match confirms {
        Confirms::Nothing => own_id,
        // In the `jti`, which is ours and opaque: a claim of its own would concern all who read our
        // tokens. The id is no secret; a refresh token is its signature.
        Confirms::Rotation => format!("{}{AFTER_ROTATION}{own_id}", refresh.id),
    };
    let access = RefreshToken { id, issued_at: now, expires_at, ..refresh.clone() };
    let keyring = ctx.keyring();
    let key = keyring.current(now).expect("a server that is open has a signing key");
    let issue_token = |text: String, expires_at: OffsetDateTime| IssuedToken {
        token: Secret::new(text),
        expires_at,
        lifetime: expires_at - now,
    };
    let mut access_claims = claims(ctx, &access, ACCESS);
    access_claims.extend(custom);
    IssuedTokens {
        session: refresh.session,
        user: refresh.user,
        access: issue_token(jwt::sign(&access_claims, key), expires_at),
        refresh: issue_token(
            jwt::sign_with_secret(&claims(ctx, refresh, REFRESH), ctx.keys.refresh_token()),
            refresh.expires_at,
        ),
        device: None,
    }
}

/// Verifies an access token; reads the signing keys again if another node may have just made its
/// key.
pub(super) async fn verify_access_with_latest_keys(
    ctx: &Context,
    token: &str,
) -> Result<VerifiedToken, TokenError> {
    match verify_access(ctx, token, ctx.clock.now()) {
        Err(TokenError::Invalid) if keys::reload_for_unknown_key(ctx, token).await => {
            verify_access(ctx, token, ctx.clock.now())
        }
        proved => proved,
    }
}

/// Verifies an access token. The result is cached, so each signature is verified once.
pub(super) fn verify_access(
    ctx: &Context,
    token: &str,
    now: OffsetDateTime,
) -> Result<VerifiedToken, TokenError> {
    // A digest has a fixed size, and no usable token is kept.
    let digest = sha256(token.as_bytes());
    if let Some(verified) = ctx.cache.find_token(&digest, now) {
        return Ok(verified);
    }
    let expected = expected(ctx, ACCESS, now);
    let claims = jwt::verify(token, &ctx.keyring(), &expected).map_err(|why| {
        let secret = ctx.keys.refresh_token();
        or_other_reason(why, || jwt::verify_with_secret(token, secret, &expected))
    })?;
    let said = parse(ctx, &claims)?;
    let verified = VerifiedToken {
        session: said.session,
        user: said.user,
        rotation: said.id.split_once(AFTER_ROTATION).map(|(rotation, _)| Arc::from(rotation)),
        expires_at: said.expires_at,
    };
    ctx.cache.remember_token(digest, verified.clone());
    Ok(verified)
}

/// Verifies the signature and the claims of a refresh token; only the database knows whether it is
/// still the current one.
pub(super) fn verify_refresh(
    ctx: &Context,
    token: &str,
    now: OffsetDateTime,
) -> Result<RefreshToken, TokenError> {
    let expected = expected(ctx, REFRESH, now);
    let claims = jwt::verify_with_secret(token, ctx.keys.refresh_token(), &expected)
        .map_err(|why| or_other_reason(why, || jwt::verify(token, &ctx.keyring(), &expected)))?;
    parse(ctx, &claims)
}

/// Returns a better reason for a refusal, if the token is signed by our other key.
fn or_other_reason(
    why: TokenError,
    by_other_key: impl FnOnce() -> Result<Claims, TokenError>,
) -> TokenError {
    match why {
        // Only for tokens that we signed: others learn nothing about them.
        TokenError::Invalid => by_other_key().err().unwrap_or(why),
        other => other,
    }
}

fn expected<'a>(ctx: &'a Context, kind: &'a str, now: OffsetDateTime) -> ExpectedClaims<'a> {
    let settings = &ctx.settings;
    ExpectedClaims {
        issuer: &settings.issuer,
        audience: &settings.audience,
        kind,
        now,
        leeway: settings.leeway,
        // The database knows a refresh token by its id; a clock that was set back must not end a
        // session.
        any_issue_time: kind == REFRESH,
    }
}

/// Returns the claims of a token, without personal data: names and addresses change, and many
/// programs see a token.
fn claims(ctx: &Context, token: &RefreshToken, kind: &str) -> Claims {
    let settings = &ctx.settings;
    let user = token.user.to_string();
    let mut claims = Claims::new();
    let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    claim("iss", settings.issuer.as_str().into());
    claim("aud", settings.audience.as_str().into());
    claim("sub", user.as_str().into());
    // Twice the same: `sub` is the standard's (RFC 7519, 4.1.2), the other is what SimpleJWT's
    // clients read.
    claim(&settings.user_id_claim, user.as_str().into());
    claim("sid", token.session.to_string().into());
    claim("jti", token.id.as_str().into());
    claim("token_type", kind.into());
    claim("iat", token.issued_at.unix_timestamp().into());
    claim("exp", token.expires_at.unix_timestamp().into());
    claims
}

fn parse(ctx: &Context, claims: &Claims) -> Result<RefreshToken, TokenError> {
    let user = jwt::text(claims, &ctx.settings.user_id_claim).ok_or(TokenError::NoUser)?;
    let session = jwt::text(claims, "sid").and_then(|sid| sid.parse().ok());
    let instant = |name| {
        let seconds = claims.get(name).and_then(Value::as_i64);
        seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
    };
    Ok(RefreshToken {
        session: session.ok_or(TokenError::Invalid)?,
        user: UserId(user.parse().map_err(|_| TokenError::Invalid)?),
        id: jwt::text(claims, "jti").ok_or(TokenError::NoId)?.to_owned(),
        issued_at: instant("iat").ok_or(TokenError::Invalid)?,
        expires_at: instant("exp").ok_or(TokenError::Invalid)?,
    })
    .and_then(|token| match jwt::text(claims, "sub") {
        Some(subject) if subject == user => Ok(token),
        _ => Err(TokenError::Invalid),
    })
}

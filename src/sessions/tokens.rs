//! The two tokens of a session: what they claim, and reading them back.

use std::sync::Arc;

use serde_json::Value;
use time::OffsetDateTime;

use super::IssuedTokens;
use crate::cache::VerifiedToken;
use crate::context::Context;
use crate::crypto::jwt;
use crate::crypto::jwt::{Claims, Expected, TokenError};
use crate::crypto::sha256;
use crate::keys;
use crate::types::{Secret, SessionId, UserId};

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// A signed token, to be handed to its owner.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: Secret,
    /// When it stops working.
    pub expires_at: OffsetDateTime,
    /// How long that is from now.
    pub lifetime: time::Duration,
}

/// What a refresh token says. It is signed anew from these facts alone, so the same facts give the
/// same token.
#[derive(Debug, Clone)]
pub(super) struct RefreshToken {
    pub session: SessionId,
    pub user: UserId,
    pub id: String,
    pub issued_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// What showing an access token says of the rotation that its refresh token came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirms {
    /// Nothing: there was no rotation, or it is confirmed, or the refresh token does not go out with the
    /// access token.
    Nothing,
    /// That its answer has arrived. The access token's `jti` begins with that of the refresh token.
    Rotation,
}

/// Separates the rotation from the rest of a `jti`; not in the alphabet of ids.
const AFTER_ROTATION: char = '.';

/// Signs a refresh token and a new access token that goes with it and says more. An access token never
/// outlives its session.
pub(super) fn issue(
    ctx: &Context,
    refresh: &RefreshToken,
    confirms: Confirms,
    custom: Claims,
    now: OffsetDateTime,
) -> IssuedTokens {
    let expires_at = refresh.expires_at.min(now + ctx.settings.access_token_lifetime);
    let own_id = ctx.random.token_id();
    let id = match confirms {
        Confirms::Nothing => own_id,
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

/// What an access token proves, also if another node has just made the key.
pub(super) async fn verify_access_with_latest_keys(
    ctx: &Context,
    token: &str,
) -> Result<VerifiedToken, TokenError> {
    match verify_access(ctx, token, ctx.clock.now()) {
        Err(TokenError::Invalid) if keys::looks_for_key_of(ctx, token).await => {
            verify_access(ctx, token, ctx.clock.now())
        }
        proved => proved,
    }
}

/// What an access token proves. The signature is verified once and remembered.
pub(super) fn verify_access(
    ctx: &Context,
    token: &str,
    now: OffsetDateTime,
) -> Result<VerifiedToken, TokenError> {
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

/// Verifies a refresh token's signature and claims; whether it is still good, the database knows.
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

/// What no key of ours signed is invalid. What the key of the other kind signed is still refused, but
/// its owner may learn why: it has run out, or is for something else.
fn or_other_reason(
    why: TokenError,
    by_other_key: impl FnOnce() -> Result<Claims, TokenError>,
) -> TokenError {
    match why {
        TokenError::Invalid => by_other_key().err().unwrap_or(why),
        other => other,
    }
}

fn expected<'a>(ctx: &'a Context, kind: &'a str, now: OffsetDateTime) -> Expected<'a> {
    let settings = &ctx.settings;
    Expected {
        issuer: &settings.issuer,
        audience: &settings.audience,
        kind,
        now,
        leeway: settings.leeway,
        any_issue_time: kind == REFRESH,
    }
}

/// Nothing personal stands in a token unless the settings ask for it: names and addresses change, tokens
/// travel.
fn claims(ctx: &Context, token: &RefreshToken, kind: &str) -> Claims {
    let settings = &ctx.settings;
    let user = token.user.to_string();
    let mut claims = Claims::new();
    let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    claim("iss", settings.issuer.as_str().into());
    claim("aud", settings.audience.as_str().into());
    claim("sub", user.as_str().into());
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

//! Signing and verifying JSON Web Tokens (RFC 7519).
//!
//! One verifier for every token: the algorithm comes from the key and never from the token, every
//! claim is required and typed, and time is handed in. Does not know what the claims are for;
//! `sessions` does.

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Map, Value};
use thiserror::Error;
use time::OffsetDateTime;

use super::keyring::Keyring;
use super::signing_key::SigningKey;

/// How far ahead of ours the clock of the node that signed a token may be, in seconds. Nodes are a few
/// milliseconds to a few seconds apart, and the first requests with a token come within that time.
/// Refusing such a token would gain nothing: `exp` stays strict.
const MAX_CLOCK_SKEW: i64 = 60;

/// The claims of a token, by name.
pub type Claims = Map<String, Value>;

/// Why a token is refused; the same cases as SimpleJWT has, for clients written for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not a token of ours, or one that is not valid yet.
    #[error("token is invalid")]
    Invalid,
    /// Its time is over.
    #[error("token is expired")]
    Expired,
    /// A token for something else.
    #[error("token has wrong type")]
    WrongType,
    /// `token_type` is missing.
    #[error("token has no type")]
    NoType,
    /// `jti` is missing.
    #[error("token has no id")]
    NoId,
    /// `exp` is missing.
    #[error("token has no 'exp' claim")]
    NoExpiry,
    /// The claim that names the user is missing.
    #[error("token contained no recognizable user identification")]
    NoUser,
}

/// What a token must say to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedClaims<'a> {
    /// `iss`
    pub issuer: &'a str,
    /// `aud`
    pub audience: &'a str,
    /// `token_type`
    pub kind: &'a str,
    pub now: OffsetDateTime,
    /// How far clocks may differ.
    pub leeway: std::time::Duration,
    /// Whether an `iat` of any time is accepted. For tokens that the database knows: a clock that was
    /// set back must not end a session.
    pub any_issue_time: bool,
}

/// Signs claims with the key of a ring.
#[must_use]
pub fn sign(claims: &Claims, key: &SigningKey) -> String {
    let mut header = Header::new(key.algorithm.jwa());
    header.kid = Some(key.id.clone());
    encode(&header, claims, &key.encoding)
}

/// Signs claims with a secret that only Daemun has (HS256).
#[must_use]
pub fn sign_with_secret(claims: &Claims, secret: &[u8]) -> String {
    let header = Header::new(jsonwebtoken::Algorithm::HS256);
    encode(&header, claims, &EncodingKey::from_secret(secret))
}

fn encode(header: &Header, claims: &Claims, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).expect("a key that was imported signs")
}

/// Returns the name of the key that a token claims it was signed with, unverified.
#[must_use]
pub fn key_id_of(token: &str) -> Option<String> {
    jsonwebtoken::decode_header(token).ok()?.kid
}

/// Verifies a token against the ring.
pub fn verify(
    token: &str,
    ring: &Keyring,
    expected: &ExpectedClaims<'_>,
) -> Result<Claims, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let key = header.kid.and_then(|id| ring.find(&id, expected.now)).ok_or(TokenError::Invalid)?;
    // The key chooses the algorithm: a token that chose it could pass a public key off as a secret.
    let claims = decode(token, &key.decoding, key.algorithm.jwa())?;
    check(&claims, expected).map(|()| claims)
}

/// Verifies a token that [`sign_with_secret`] made.
pub fn verify_with_secret(
    token: &str,
    secret: &[u8],
    expected: &ExpectedClaims<'_>,
) -> Result<Claims, TokenError> {
    let key = DecodingKey::from_secret(secret);
    let claims = decode(token, &key, jsonwebtoken::Algorithm::HS256)?;
    check(&claims, expected).map(|()| claims)
}

/// Verifies the signature and nothing else.
fn decode(
    token: &str,
    key: &DecodingKey,
    algorithm: jsonwebtoken::Algorithm,
) -> Result<Claims, TokenError> {
    // The library's own checks read the machine's clock and pass over claims that are missing;
    // `check` does neither.
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let data = jsonwebtoken::decode::<Claims>(token, key, &validation);
    let data = data.map_err(|_| TokenError::Invalid)?;
    // A critical extension must be understood (RFC 7515, 4.1.11), and none is.
    if data.header.crit.is_some() {
        return Err(TokenError::Invalid);
    }
    Ok(data.claims)
}

fn check(claims: &Claims, expected: &ExpectedClaims<'_>) -> Result<(), TokenError> {
    let now = expected.now.unix_timestamp();
    let leeway = i64::try_from(expected.leeway.as_secs()).unwrap_or(i64::MAX);
    let seconds =
        |name: &str| claims.get(name).map(|value| instant(value).ok_or(TokenError::Invalid));

    let expires = seconds("exp").ok_or(TokenError::NoExpiry)??;
    if expires.saturating_add(leeway) <= now {
        return Err(TokenError::Expired);
    }
    let issued = seconds("iat").ok_or(TokenError::Invalid)??;
    let not_before = seconds("nbf").unwrap_or(Ok(0))?;
    // Not `leeway` alone: with its default of 0, nodes whose clocks differ would refuse fresh tokens.
    let latest = now.saturating_add(leeway.max(MAX_CLOCK_SKEW));
    if not_before > latest || (issued > latest && !expected.any_issue_time) {
        return Err(TokenError::Invalid);
    }
    if text(claims, "iss") != Some(expected.issuer)
        || text(claims, "aud") != Some(expected.audience)
    {
        return Err(TokenError::Invalid);
    }
    if text(claims, "jti").is_none() {
        return Err(TokenError::NoId);
    }
    // A second barrier: access and refresh tokens have separate keys already.
    match text(claims, "token_type") {
        None => Err(TokenError::NoType),
        Some(kind) if kind == expected.kind => Ok(()),
        Some(_) => Err(TokenError::WrongType),
    }
}

/// Returns a claim that is text and not empty.
#[must_use]
pub fn text<'a>(claims: &'a Claims, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Reads a `NumericDate` (RFC 7519, 2) as we write it: whole seconds, not negative.
fn instant(value: &Value) -> Option<i64> {
    i64::try_from(value.as_u64()?).ok()
}

#[cfg(test)]
mod tests;

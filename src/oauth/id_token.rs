//! Verifies ID tokens (OpenID Connect Core 1.0, 3.1.3.7): signature, issuer, audience, times and nonce.
//! Their claims become a [`ProviderUser`].

use serde_json::Value;
use time::OffsetDateTime;

use super::providers::google;
use super::{ClientRegistration, OAuthError, ProviderClient, ProviderUser};
use crate::crypto::IdTokenError;
use crate::crypto::jwt::Claims;
use crate::types::Secret;

/// Seconds by which clocks may differ; a minute is what libraries commonly allow.
const LEEWAY: i64 = 60;

/// Verifies an ID token and returns its user. Without a nonce, a token of any log-in is accepted.
pub(super) async fn verify(
    providers: &ProviderClient,
    registration: &ClientRegistration,
    token: &Secret,
    nonce: Option<&str>,
    now: OffsetDateTime,
) -> Result<ProviderUser, OAuthError> {
    let Some(issuer) = registration.token_issuer() else {
        return Err(OAuthError::refused("the provider signs no ID tokens"));
    };
    // Also for a browser's token, which comes straight from the provider: phones send the same tokens.
    let claims = verify_signature(providers, &issuer, token, now).await?;
    let client_id = &registration.client_id;
    if let Some(reason) = find_invalid_claim(&claims, &issuer, client_id, nonce, now) {
        return Err(OAuthError::refused(reason));
    }
    let profile = google::read_profile(&Value::Object(claims));
    profile.ok_or(OAuthError::InvalidResponse("no subject"))?.into_user(registration)
}

async fn verify_signature(
    providers: &ProviderClient,
    issuer: &str,
    token: &Secret,
    now: OffsetDateTime,
) -> Result<Claims, OAuthError> {
    let refused = |error: IdTokenError| OAuthError::Refused(error.to_string());
    let keys = providers.issuers.find(&providers.http, issuer, now).await?.keys;
    match keys.verify(token.expose()) {
        // The key may be new. `find_fresh` fetches at most once a minute, because anyone can make up a token.
        Err(IdTokenError::UnknownKey) => {
            let fresh = providers.issuers.find_fresh(&providers.http, issuer, now).await?.keys;
            fresh.verify(token.expose()).map_err(refused)
        }
        other => other.map_err(refused),
    }
}

/// Returns what is wrong with the claims, if anything.
fn find_invalid_claim(
    claims: &Claims,
    issuer: &str,
    client_id: &str,
    nonce: Option<&str>,
    now: OffsetDateTime,
) -> Option<&'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let instant = |name: &str| claims.get(name).and_then(Value::as_i64);
    let now = now.unix_timestamp();
    let is_for_us = match claims.get("aud") {
        Some(Value::String(audience)) => audience == client_id,
        Some(Value::Array(audiences)) => {
            // With several audiences, the authorized party must be us.
            let is_among = audiences.iter().any(|audience| audience == client_id);
            is_among && (audiences.len() == 1 || text("azp") == Some(client_id))
        }
        _ => false,
    };
    if text("iss") != Some(issuer) {
        return Some("another issuer");
    }
    if !is_for_us || text("azp").is_some_and(|party| party != client_id) {
        return Some("for another application");
    }
    if instant("exp").is_none_or(|exp| exp.saturating_add(LEEWAY) <= now) {
        return Some("expired");
    }
    if instant("iat").is_none_or(|iat| iat.saturating_sub(LEEWAY) > now) {
        return Some("from the future");
    }
    if nonce.is_some() && text("nonce") != nonce {
        return Some("for another sign-in");
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn wrong(change: &Value) -> Option<&'static str> {
        let now = datetime!(2026-03-01 12:00 UTC);
        let mut claims = json!({
            "iss": "https://id.example", "aud": "us", "sub": "1", "nonce": "n",
            "iat": now.unix_timestamp(), "exp": now.unix_timestamp() + 300,
        });
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let Value::Object(claims) = claims else { unreachable!("it is an object") };
        find_invalid_claim(&claims, "https://id.example", "us", Some("n"), now)
    }

    #[test]
    fn a_token_of_its_issuer_for_us_now_and_for_this_sign_in_is_accepted() {
        assert_eq!(wrong(&json!({})), None);
        assert_eq!(wrong(&json!({ "aud": ["us"] })), None);
        assert_eq!(wrong(&json!({ "aud": ["us", "them"], "azp": "us" })), None);
        assert_eq!(wrong(&json!({ "exp": i64::MAX, "iat": i64::MIN })), None);
    }

    #[test]
    fn any_other_token_is_refused() {
        let past = datetime!(2026-03-01 11:58 UTC).unix_timestamp();
        let future = datetime!(2026-03-01 12:02 UTC).unix_timestamp();
        for change in [
            json!({ "iss": "https://id.example/" }),
            json!({ "iss": null }),
            json!({ "aud": "them" }),
            json!({ "aud": ["us", "them"] }),
            json!({ "aud": ["us", "them"], "azp": "them" }),
            json!({ "aud": "us", "azp": "them" }),
            json!({ "aud": null }),
            json!({ "exp": past }),
            json!({ "exp": null }),
            json!({ "exp": "4102444800" }),
            json!({ "iat": future }),
            json!({ "iat": i64::MAX }),
            json!({ "exp": i64::MIN }),
            json!({ "iat": null }),
            json!({ "nonce": "other" }),
            json!({ "nonce": null }),
        ] {
            assert!(wrong(&change).is_some(), "{change}");
        }
    }
}

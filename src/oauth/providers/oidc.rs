//! Any OpenID provider: who somebody is stands in an ID token that it signed.
//!
//! OpenID Connect Core 1.0, 3.1.3.7. The signature is verified although the token may come straight from
//! the provider, because phones hand in the same tokens.

use serde_json::Value;
use time::OffsetDateTime;

use super::google;
use crate::crypto::ForeignTokenError;
use crate::crypto::jwt::Claims;
use crate::oauth::{Adapter, Application, Known, Oauth, OauthError, known};
use crate::types::Secret;

/// Where it is asked stands in the document of its issuer.
pub(crate) const ADAPTER: Adapter = Adapter {
    authorization: "",
    token: "",
    userinfo: "",
    token_info: "",
    scopes: &["openid", "email", "profile"],
    userinfo_query: &[],
    again: &[("prompt", "login")],
    issuer: None,
    read: google::read,
};

/// Clocks of machines differ; a minute is what libraries commonly allow.
const LEEWAY: i64 = 60;

/// Who an ID token speaks of, if its issuer signed it, for us, now, and for this sign-in.
pub(crate) async fn person(
    oauth: &Oauth,
    application: &Application,
    (token, nonce): (&Secret, Option<&str>),
    now: OffsetDateTime,
) -> Result<Known, OauthError> {
    let Some(issuer) = application.token_issuer() else {
        return Err(OauthError::refused("the provider signs no ID tokens"));
    };
    let claims = verified(oauth, &issuer, token, now).await?;
    if let Some(wrong) = flaw(&claims, &issuer, &application.client_id, nonce, now) {
        return Err(OauthError::refused(wrong));
    }
    let profile = google::read(&Value::Object(claims)).ok_or(OauthError::Nonsense("no subject"))?;
    known(application, profile)
}

/// A key that is not known may be new: the set is fetched again, though not for each stranger's token.
async fn verified(
    oauth: &Oauth,
    issuer: &str,
    token: &Secret,
    now: OffsetDateTime,
) -> Result<Claims, OauthError> {
    let refused = |error: ForeignTokenError| OauthError::Refused(error.to_string());
    let keys = oauth.issuers.find(&oauth.outside, issuer, now).await?.keys;
    match keys.verify(token.expose()) {
        Err(ForeignTokenError::UnknownKey) => {
            let newer = oauth.issuers.find_newer(&oauth.outside, issuer, now).await?.keys;
            newer.verify(token.expose()).map_err(refused)
        }
        other => other.map_err(refused),
    }
}

/// What is wrong with the claims. With several audiences, ours must be the one to use it.
fn flaw(
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
        flaw(&claims, "https://id.example", "us", Some("n"), now)
    }

    #[test]
    fn a_token_is_taken_from_its_issuer_for_us_now_and_for_this_sign_in() {
        assert_eq!(wrong(&json!({})), None);
        assert_eq!(wrong(&json!({ "aud": ["us"] })), None);
        assert_eq!(wrong(&json!({ "aud": ["us", "them"], "azp": "us" })), None);
        assert_eq!(wrong(&json!({ "exp": i64::MAX, "iat": i64::MIN })), None);
    }

    #[test]
    fn nothing_else_is_taken() {
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

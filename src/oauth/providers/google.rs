//! Google: plain OAuth 2 for browsers, ID tokens or access tokens from phones.
//!
//! <https://developers.google.com/identity/openid-connect/openid-connect>

use serde_json::Value;

use crate::oauth::provider_kind::ProviderAdapter;
use crate::oauth::provider_user::{ProviderProfile, text_of};
use crate::oauth::{ClientRegistration, HttpClient, OAuthError};
use crate::types::Secret;

pub(in crate::oauth) const ADAPTER: ProviderAdapter = ProviderAdapter {
    authorization_endpoint: "https://accounts.google.com/o/oauth2/v2/auth",
    token_endpoint: "https://oauth2.googleapis.com/token",
    userinfo_endpoint: "https://openidconnect.googleapis.com/v1/userinfo",
    token_info_endpoint: "https://oauth2.googleapis.com/tokeninfo",
    scopes: &["openid", "email", "profile"],
    userinfo_query: &[],
    reauthentication_params: &[("prompt", "select_account")],
    issuer: Some("https://accounts.google.com"),
    read_profile,
};

/// Reads the claims of OpenID Connect Core, 5.1.
pub(in crate::oauth) fn read_profile(response: &Value) -> Option<ProviderProfile> {
    Some(ProviderProfile {
        subject: response["sub"].as_str().filter(|subject| !subject.is_empty())?.to_owned(),
        email: text_of(&response["email"]),
        // The text `"true"` does not count: the claim is a boolean (Core, 5.1).
        is_email_verified: response["email_verified"] == true,
        name: text_of(&response["name"]),
    })
}

/// Asks Google whether a token was issued for us (`aud`) and to us (`azp`).
pub(in crate::oauth) async fn was_issued_to_us(
    http: &HttpClient,
    registration: &ClientRegistration,
    token: &Secret,
) -> Result<bool, OAuthError> {
    let query = [("access_token", token.expose())];
    let response = http.get(&registration.token_info_endpoint().with_query(&query), None).await?;
    let is_our_id = |claim: &Value| claim == registration.client_id.as_str();
    Ok(is_our_id(&response["aud"]) && (response["azp"].is_null() || is_our_id(&response["azp"])))
}

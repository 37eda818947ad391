//! GitHub: plain OAuth 2. The user's addresses have an endpoint of their own, which says which of them are
//! verified.
//!
//! <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>

use serde_json::{Value, json};

use crate::oauth::provider_kind::ProviderAdapter;
use crate::oauth::provider_user::{ProviderProfile, text_of};
use crate::oauth::{ClientRegistration, HttpClient, OAuthError};
use crate::types::Secret;

pub(in crate::oauth) const ADAPTER: ProviderAdapter = ProviderAdapter {
    authorization_endpoint: "https://github.com/login/oauth/authorize",
    token_endpoint: "https://github.com/login/oauth/access_token",
    userinfo_endpoint: "https://api.github.com/user",
    token_info_endpoint: "https://api.github.com/applications",
    scopes: &["read:user", "user:email"],
    userinfo_query: &[],
    reauthentication_params: &[("prompt", "select_account")],
    issuer: None,
    read_profile,
};

fn read_profile(response: &Value) -> Option<ProviderProfile> {
    Some(ProviderProfile {
        subject: response["id"].as_u64()?.to_string(),
        // The address in the public profile need not be verified; `with_email` adds one.
        email: None,
        is_email_verified: false,
        name: text_of(&response["name"]).or_else(|| text_of(&response["login"])),
    })
}

/// Adds the primary address to a profile.
pub(in crate::oauth) async fn with_email(
    http: &HttpClient,
    registration: &ClientRegistration,
    token: &Secret,
    profile: ProviderProfile,
) -> Result<ProviderProfile, OAuthError> {
    let response = http.get(&registration.userinfo_endpoint().join("emails"), Some(token)).await?;
    let emails = response.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(primary) = emails.iter().find(|email| email["primary"] == true) else {
        return Ok(profile);
    };
    let is_email_verified = primary["verified"] == true;
    Ok(ProviderProfile { email: text_of(&primary["email"]), is_email_verified, ..profile })
}

/// Asks GitHub whether a token was issued to us.
pub(in crate::oauth) async fn was_issued_to_us(
    http: &HttpClient,
    registration: &ClientRegistration,
    token: &Secret,
) -> Result<bool, OAuthError> {
    let Some(secret) = &registration.client_secret else { return Ok(false) };
    let path = format!("{}/token", registration.client_id);
    let endpoint = registration.token_info_endpoint().join(&path);
    // GitHub knows a token only for the application that asks with its own secret.
    let body = json!({ "access_token": token.expose() });
    let response = http.post(&endpoint, &registration.client_id, secret, &body).await?;
    Ok(response["app"]["client_id"] == registration.client_id.as_str())
}

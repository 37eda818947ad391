//! Facebook: plain OAuth 2. A user's number differs from application to application.
//!
//! <https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow>

use serde_json::Value;

use crate::oauth::provider_kind::ProviderAdapter;
use crate::oauth::provider_user::{ProviderProfile, text_of};
use crate::oauth::{ClientRegistration, HttpClient, OAuthError};
use crate::types::Secret;

pub(in crate::oauth) const ADAPTER: ProviderAdapter = ProviderAdapter {
    authorization_endpoint: "https://www.facebook.com/v23.0/dialog/oauth",
    token_endpoint: "https://graph.facebook.com/v23.0/oauth/access_token",
    userinfo_endpoint: "https://graph.facebook.com/v23.0/me",
    token_info_endpoint: "https://graph.facebook.com/v23.0/debug_token",
    scopes: &["email", "public_profile"],
    userinfo_query: &[("fields", "id,name,email")],
    reauthentication_params: &[("auth_type", "reauthenticate")],
    issuer: None,
    read_profile,
};

fn read_profile(response: &Value) -> Option<ProviderProfile> {
    Some(ProviderProfile {
        subject: text_of(&response["id"])?,
        email: text_of(&response["email"]),
        // Facebook does not promise that an address is verified.
        is_email_verified: false,
        name: text_of(&response["name"]),
    })
}

/// Asks Facebook whether a token is valid and was issued to us.
pub(in crate::oauth) async fn was_issued_to_us(
    http: &HttpClient,
    registration: &ClientRegistration,
    token: &Secret,
) -> Result<bool, OAuthError> {
    let Some(secret) = &registration.client_secret else { return Ok(false) };
    let app_id = registration.app_id.as_ref().unwrap_or(&registration.client_id);
    // Facebook's form of an app access token, by which the request itself is authenticated.
    let own_token = Secret::new(format!("{app_id}|{}", secret.expose()));
    let query = [("input_token", token.expose()), ("access_token", own_token.expose())];
    let response = http.get(&registration.token_info_endpoint().with_query(&query), None).await?;
    let response = &response["data"];
    Ok(response["is_valid"] == true && text_of(&response["app_id"]).as_ref() == Some(app_id))
}

//! Kakao: plain OAuth 2. A user's number differs from application to application.
//!
//! <https://developers.kakao.com/docs/latest/en/kakaologin/rest-api>

use serde_json::Value;

use crate::oauth::provider_kind::ProviderAdapter;
use crate::oauth::provider_user::{ProviderProfile, text_of};
use crate::oauth::{ClientRegistration, HttpClient, OAuthError};
use crate::types::Secret;

pub(in crate::oauth) const ADAPTER: ProviderAdapter = ProviderAdapter {
    authorization_endpoint: "https://kauth.kakao.com/oauth/authorize",
    token_endpoint: "https://kauth.kakao.com/oauth/token",
    userinfo_endpoint: "https://kapi.kakao.com/v2/user/me",
    token_info_endpoint: "https://kapi.kakao.com/v1/user/access_token_info",
    // The scopes are chosen in Kakao's console.
    scopes: &[],
    userinfo_query: &[],
    reauthentication_params: &[("prompt", "login")],
    issuer: Some("https://kauth.kakao.com"),
    read_profile,
};

fn read_profile(response: &Value) -> Option<ProviderProfile> {
    let account = &response["kakao_account"];
    // An address is "valid" while it still belongs to the user.
    let is_verified = account["is_email_verified"] == true && account["is_email_valid"] == true;
    Some(ProviderProfile {
        subject: response["id"].as_u64()?.to_string(),
        email: text_of(&account["email"]),
        is_email_verified: is_verified,
        name: text_of(&account["profile"]["nickname"]),
    })
}

/// Asks Kakao whether a token was issued to us.
pub(in crate::oauth) async fn was_issued_to_us(
    http: &HttpClient,
    registration: &ClientRegistration,
    token: &Secret,
) -> Result<bool, OAuthError> {
    let Some(app_id) = &registration.app_id else { return Ok(false) };
    let response = http.get(&registration.token_info_endpoint(), Some(token)).await?;
    Ok(text_of(&response["app_id"]).as_ref() == Some(app_id))
}

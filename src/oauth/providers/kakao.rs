//! Kakao: plain OAuth 2, with a number per application for each person.
//!
//! <https://developers.kakao.com/docs/latest/en/kakaologin/rest-api>

use serde_json::Value;

use crate::oauth::{Adapter, Application, OauthError, Outside, Profile, text_of};
use crate::types::Secret;

pub(crate) const ADAPTER: Adapter = Adapter {
    authorization: "https://kauth.kakao.com/oauth/authorize",
    token: "https://kauth.kakao.com/oauth/token",
    userinfo: "https://kapi.kakao.com/v2/user/me",
    token_info: "https://kapi.kakao.com/v1/user/access_token_info",
    // What is asked for is chosen in Kakao's console.
    scopes: &[],
    userinfo_query: &[],
    again: &[("prompt", "login")],
    issuer: Some("https://kauth.kakao.com"),
    read,
};

/// Kakao tells whether the address is proved, and whether it is still the person's.
fn read(said: &Value) -> Option<Profile> {
    let account = &said["kakao_account"];
    let is_verified = account["is_email_verified"] == true && account["is_email_valid"] == true;
    Some(Profile {
        subject: said["id"].as_u64()?.to_string(),
        email: text_of(&account["email"]),
        is_email_verified: is_verified,
        name: text_of(&account["profile"]["nickname"]),
    })
}

/// Kakao says to which application a token was issued.
pub(crate) async fn is_ours(
    outside: &Outside,
    application: &Application,
    token: &Secret,
) -> Result<bool, OauthError> {
    let Some(ours) = &application.app_id else { return Ok(false) };
    let said = outside.get(&application.token_info_endpoint(), Some(token)).await?;
    Ok(text_of(&said["app_id"]).as_ref() == Some(ours))
}

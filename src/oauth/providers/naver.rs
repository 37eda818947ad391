//! Naver: plain OAuth 2. A user's identifier differs from application to application.
//!
//! <https://developers.naver.com/docs/login/api/api.md>. Naver does not say to which application an access
//! token belongs, so phones send a code instead.

use serde_json::Value;

use crate::oauth::provider_kind::ProviderAdapter;
use crate::oauth::provider_user::{ProviderProfile, text_of};

pub(in crate::oauth) const ADAPTER: ProviderAdapter = ProviderAdapter {
    authorization_endpoint: "https://nid.naver.com/oauth2.0/authorize",
    token_endpoint: "https://nid.naver.com/oauth2.0/token",
    userinfo_endpoint: "https://openapi.naver.com/v1/nid/me",
    token_info_endpoint: "",
    // The scopes are chosen in Naver's console.
    scopes: &[],
    userinfo_query: &[],
    reauthentication_params: &[("auth_type", "reauthenticate")],
    issuer: None,
    read_profile,
};

fn read_profile(response: &Value) -> Option<ProviderProfile> {
    let user = &response["response"];
    // Naver's code for success.
    if response["resultcode"] != "00" {
        return None;
    }
    Some(ProviderProfile {
        subject: text_of(&user["id"])?,
        email: text_of(&user["email"]),
        // It is the contact address that the user typed; Naver does not say whether it is verified.
        is_email_verified: false,
        name: text_of(&user["name"]).or_else(|| text_of(&user["nickname"])),
    })
}

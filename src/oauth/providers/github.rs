//! GitHub: plain OAuth 2. The addresses of a person are a list of their own, and GitHub tells which of
//! them are proved.
//!
//! <https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps>

use serde_json::{Value, json};

use crate::oauth::{Adapter, Application, OauthError, Outside, Profile, text_of};
use crate::types::Secret;

pub(crate) const ADAPTER: Adapter = Adapter {
    authorization: "https://github.com/login/oauth/authorize",
    token: "https://github.com/login/oauth/access_token",
    userinfo: "https://api.github.com/user",
    token_info: "https://api.github.com/applications",
    scopes: &["read:user", "user:email"],
    userinfo_query: &[],
    again: &[("prompt", "select_account")],
    issuer: None,
    read,
};

/// The address in the profile is for show and need not be proved.
fn read(said: &Value) -> Option<Profile> {
    Some(Profile {
        subject: said["id"].as_u64()?.to_string(),
        email: None,
        is_email_verified: false,
        name: text_of(&said["name"]).or_else(|| text_of(&said["login"])),
    })
}

/// The profile with the address that its owner calls the primary one.
pub(crate) async fn with_email(
    outside: &Outside,
    application: &Application,
    token: &Secret,
    profile: Profile,
) -> Result<Profile, OauthError> {
    let said = outside.get(&application.userinfo_endpoint().below("emails"), Some(token)).await?;
    let emails = said.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(primary) = emails.iter().find(|email| email["primary"] == true) else {
        return Ok(profile);
    };
    let is_email_verified = primary["verified"] == true;
    Ok(Profile { email: text_of(&primary["email"]), is_email_verified, ..profile })
}

/// GitHub knows a token only for the application that asks with its own secret.
pub(crate) async fn is_ours(
    outside: &Outside,
    application: &Application,
    token: &Secret,
) -> Result<bool, OauthError> {
    let Some(secret) = &application.client_secret else { return Ok(false) };
    let path = format!("{}/token", application.client_id);
    let endpoint = application.token_info_endpoint().below(&path);
    let whoami = (application.client_id.as_str(), secret);
    let said = outside.post(&endpoint, whoami, &json!({ "access_token": token.expose() })).await?;
    Ok(said["app"]["client_id"] == application.client_id.as_str())
}

//! Google: plain OAuth 2 for browsers, ID tokens or access tokens from phones.
//!
//! <https://developers.google.com/identity/openid-connect/openid-connect>

use serde_json::Value;

use crate::oauth::{Adapter, Application, OauthError, Outside, Profile, text_of};
use crate::types::Secret;

pub(crate) const ADAPTER: Adapter = Adapter {
    authorization: "https://accounts.google.com/o/oauth2/v2/auth",
    token: "https://oauth2.googleapis.com/token",
    userinfo: "https://openidconnect.googleapis.com/v1/userinfo",
    token_info: "https://oauth2.googleapis.com/tokeninfo",
    scopes: &["openid", "email", "profile"],
    userinfo_query: &[],
    again: &[("prompt", "select_account")],
    issuer: Some("https://accounts.google.com"),
    read,
};

/// The claims of OpenID Connect Core, 5.1. `"true"` in quotation marks is not true.
pub(crate) fn read(said: &Value) -> Option<Profile> {
    Some(Profile {
        subject: said["sub"].as_str().filter(|subject| !subject.is_empty())?.to_owned(),
        email: text_of(&said["email"]),
        is_email_verified: said["email_verified"] == true,
        name: text_of(&said["name"]),
    })
}

/// Google says to which client a token was issued (`aud`), and by which it may be used (`azp`). Both
/// must be ours.
pub(crate) async fn is_ours(
    outside: &Outside,
    application: &Application,
    token: &Secret,
) -> Result<bool, OauthError> {
    let query = [("access_token", token.expose())];
    let said = outside.get(&application.token_info_endpoint().with(&query), None).await?;
    let is_us = |claim: &Value| claim == application.client_id.as_str();
    Ok(is_us(&said["aud"]) && (said["azp"].is_null() || is_us(&said["azp"])))
}

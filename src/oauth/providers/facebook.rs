//! Facebook: plain OAuth 2, with a number per application for each person.
//!
//! <https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow>. Facebook does not
//! promise that an address is proved, so none counts as such.

use serde_json::Value;

use crate::oauth::{Adapter, Application, OauthError, Outside, Profile, text_of};
use crate::types::Secret;

pub(crate) const ADAPTER: Adapter = Adapter {
    authorization: "https://www.facebook.com/v23.0/dialog/oauth",
    token: "https://graph.facebook.com/v23.0/oauth/access_token",
    userinfo: "https://graph.facebook.com/v23.0/me",
    token_info: "https://graph.facebook.com/v23.0/debug_token",
    scopes: &["email", "public_profile"],
    userinfo_query: &[("fields", "id,name,email")],
    again: &[("auth_type", "reauthenticate")],
    issuer: None,
    read,
};

fn read(said: &Value) -> Option<Profile> {
    Some(Profile {
        subject: text_of(&said["id"])?,
        email: text_of(&said["email"]),
        is_email_verified: false,
        name: text_of(&said["name"]),
    })
}

/// Facebook says of a token whether it is good and to which application it was issued; it is asked in
/// the application's own name.
pub(crate) async fn is_ours(
    outside: &Outside,
    application: &Application,
    token: &Secret,
) -> Result<bool, OauthError> {
    let Some(secret) = &application.client_secret else { return Ok(false) };
    let ours = application.app_id.as_ref().unwrap_or(&application.client_id);
    let us = Secret::new(format!("{ours}|{}", secret.expose()));
    let query = [("input_token", token.expose()), ("access_token", us.expose())];
    let said = outside.get(&application.token_info_endpoint().with(&query), None).await?;
    let said = &said["data"];
    Ok(said["is_valid"] == true && text_of(&said["app_id"]).as_ref() == Some(ours))
}

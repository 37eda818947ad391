//! Naver: plain OAuth 2, with a name per application for each person.
//!
//! <https://developers.naver.com/docs/login/api/api.md>. The address that Naver tells is one for
//! contact, which its owner has typed; Naver does not say whether it was proved. Nor does it say to
//! which application an access token belongs, so phones hand in a code.

use serde_json::Value;

use crate::oauth::{Adapter, Profile, text_of};

pub(crate) const ADAPTER: Adapter = Adapter {
    authorization: "https://nid.naver.com/oauth2.0/authorize",
    token: "https://nid.naver.com/oauth2.0/token",
    userinfo: "https://openapi.naver.com/v1/nid/me",
    token_info: "",
    // What is asked for is chosen in Naver's console.
    scopes: &[],
    userinfo_query: &[],
    again: &[("auth_type", "reauthenticate")],
    issuer: None,
    read,
};

fn read(said: &Value) -> Option<Profile> {
    let person = &said["response"];
    if said["resultcode"] != "00" {
        return None;
    }
    Some(Profile {
        subject: text_of(&person["id"])?,
        email: text_of(&person["email"]),
        is_email_verified: false,
        name: text_of(&person["name"]).or_else(|| text_of(&person["nickname"])),
    })
}

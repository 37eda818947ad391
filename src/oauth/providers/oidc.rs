//! Any other OpenID provider. Its endpoints are in the metadata of its issuer, and the user is in the ID
//! token.

use super::google;
use crate::oauth::provider_kind::ProviderAdapter;

pub(in crate::oauth) const ADAPTER: ProviderAdapter = ProviderAdapter {
    authorization_endpoint: "",
    token_endpoint: "",
    userinfo_endpoint: "",
    token_info_endpoint: "",
    scopes: &["openid", "email", "profile"],
    userinfo_query: &[],
    reauthentication_params: &[("prompt", "login")],
    issuer: None,
    read_profile: google::read_profile,
};

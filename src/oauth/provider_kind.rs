//! The providers that Daemun knows, and what differs between them.

use serde_json::Value;

use super::provider_user::ProviderProfile;
use super::providers;
use crate::types::stored_enum;

stored_enum! {
    /// A provider that Daemun knows. The names are stored.
    pub enum ProviderKind {
        Kakao = "kakao",
        Naver = "naver",
        Google = "google",
        Facebook = "facebook",
        GitHub = "github",
        /// Any other provider that speaks OpenID Connect, found by its issuer.
        Oidc = "oidc",
    }
}

impl ProviderKind {
    pub(super) fn adapter(self) -> &'static ProviderAdapter {
        match self {
            Self::Kakao => &providers::kakao::ADAPTER,
            Self::Naver => &providers::naver::ADAPTER,
            Self::Google => &providers::google::ADAPTER,
            Self::Facebook => &providers::facebook::ADAPTER,
            Self::GitHub => &providers::github::ADAPTER,
            Self::Oidc => &providers::oidc::ADAPTER,
        }
    }
}

/// What differs between providers. An empty endpoint means that the provider has none, or that its
/// discovery document names it.
pub(super) struct ProviderAdapter {
    pub authorization_endpoint: &'static str,
    pub token_endpoint: &'static str,
    pub userinfo_endpoint: &'static str,
    pub token_info_endpoint: &'static str,
    pub scopes: &'static [&'static str],
    pub userinfo_query: &'static [(&'static str, &'static str)],
    /// Makes the provider ask for the password although the user is logged in there.
    pub reauthentication_params: &'static [(&'static str, &'static str)],
    pub issuer: Option<&'static str>,
    /// Reads the profile out of the response of the userinfo endpoint.
    pub read_profile: fn(&Value) -> Option<ProviderProfile>,
}

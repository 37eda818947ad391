//! The site's registration with a provider: the client ID, the client secret and what else the
//! provider's console shows.
//!
//! Knows nothing of what was typed: `registration_input` checks that first.

use super::ProviderKind;
use super::endpoints::Endpoint;
use super::provider_kind::ProviderAdapter;
use crate::types::Secret;

/// The site's registration with a provider.
#[derive(Debug, Clone)]
pub struct ClientRegistration {
    /// The provider.
    pub kind: ProviderKind,
    /// The name in URLs.
    pub slug: String,
    /// The name on buttons; empty for the provider's name.
    pub name: String,
    /// The identifier that the provider gave to the site.
    pub client_id: String,
    /// The secret that authenticates the site to the provider.
    pub client_secret: Option<Secret>,
    /// The provider's application ID, where it differs from the client ID.
    pub app_id: Option<String>,
    /// The issuer that signs ID tokens, if one was typed.
    pub issuer: Option<String>,
    /// What overrides the provider's endpoints: authorization, token, userinfo, token info.
    pub endpoints: [Option<Endpoint>; 4],
}

impl ClientRegistration {
    /// Returns the namespace in which the provider's subjects are unique.
    #[must_use]
    pub fn namespace(&self) -> String {
        match (self.kind, self.issuer.as_deref().or(self.adapter().issuer)) {
            // An issuer's subjects are the same for every application.
            (ProviderKind::Oidc | ProviderKind::Google, Some(issuer)) => issuer.to_owned(),
            // Other providers number users per application: another application has another slug.
            (kind, _) => format!("{}:{}", kind.as_str(), self.slug),
        }
    }

    /// Returns the issuer whose ID tokens are accepted.
    pub(super) fn token_issuer(&self) -> Option<String> {
        let issuer = self.issuer.as_deref().or(self.adapter().issuer);
        issuer.map(str::to_owned)
    }

    /// Returns the origin to which a browser is redirected, if it is known without asking the
    /// issuer.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        if let Some(endpoint) = self.authorization_endpoint() {
            return Some(endpoint.origin());
        }
        Endpoint::parse(self.issuer.as_deref()?).ok().map(|issuer| issuer.origin())
    }

    pub(super) fn authorization_endpoint(&self) -> Option<Endpoint> {
        self.endpoint(0, self.adapter().authorization_endpoint)
    }

    pub(super) fn token_endpoint(&self) -> Option<Endpoint> {
        self.endpoint(1, self.adapter().token_endpoint)
    }

    pub(super) fn userinfo_endpoint(&self) -> Endpoint {
        let endpoint = self.endpoint(2, self.adapter().userinfo_endpoint);
        endpoint.expect("providers without ID tokens have a userinfo endpoint")
    }

    pub(super) fn token_info_endpoint(&self) -> Endpoint {
        let endpoint = self.endpoint(3, self.adapter().token_info_endpoint);
        endpoint.expect("providers whose access tokens are accepted have a token info endpoint")
    }

    fn endpoint(&self, index: usize, built_in: &'static str) -> Option<Endpoint> {
        let typed = self.endpoints[index].clone();
        typed.or_else(|| (!built_in.is_empty()).then(|| Endpoint::built_in(built_in)))
    }

    fn adapter(&self) -> &'static ProviderAdapter {
        self.kind.adapter()
    }
}

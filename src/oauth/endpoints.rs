//! The endpoints of providers, and which URLs can be one.
//!
//! The program requests URLs that others chose: staff who typed them, or a provider whose metadata names
//! them. Neither may make it send requests to a machine that only the program can reach (SSRF).

use std::fmt;
use std::net::IpAddr;

use thiserror::Error;
use time::OffsetDateTime;
use url::{Host, Url};

use super::public_address::is_public;
use super::{ClientRegistration, OAuthError, ProviderClient, ProviderKind};

/// Longest URL that is accepted.
const MAX_BYTES: usize = 512;

/// A URL that may be requested: https, or plain http on this machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not an [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It is not a URL, or contains a user name, a password or a fragment.
    #[error("not an address that can be asked")]
    Malformed,
    /// It is not https, and not on this machine.
    #[error("not https")]
    NotHttps,
    /// It is in a private network.
    #[error("a private address")]
    Private,
}

impl Endpoint {
    /// Parses a URL that staff typed.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| EndpointError::Malformed)?;
        let has_more = !url.username().is_empty() || url.password().is_some();
        if has_more || url.fragment().is_some() || text.len() > MAX_BYTES {
            return Err(EndpointError::Malformed);
        }
        let endpoint = Self(url);
        // Plain http only on this machine, where the site may run a provider of its own.
        match (endpoint.0.scheme(), endpoint.is_loopback()) {
            ("https", _) | ("http", true) => {}
            ("http", false) => return Err(EndpointError::NotHttps),
            _ => return Err(EndpointError::Malformed),
        }
        // The `url` crate has read 0x0a000001 and the like as addresses. A name is checked when it is
        // resolved (`http_client`), because it may point elsewhere by then.
        let ip = match endpoint.0.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(EndpointError::Malformed),
        };
        match ip {
            Some(ip) if !endpoint.is_loopback() && !is_public(ip) => Err(EndpointError::Private),
            _ => Ok(endpoint),
        }
    }

    /// Parses a URL that a provider's metadata names.
    pub fn parse_in_metadata(metadata: &Self, text: &str) -> Result<Self, EndpointError> {
        let named = Self::parse(text)?;
        // A provider elsewhere must not direct requests to this machine.
        if named.is_loopback() && !metadata.is_loopback() {
            return Err(EndpointError::Private);
        }
        Ok(named)
    }

    pub(super) fn built_in(text: &'static str) -> Self {
        Self::parse(text).expect("built-in endpoints are well-formed")
    }

    /// Returns whether the URL is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns scheme, host and port, as a Content-Security-Policy names them.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    pub(super) fn with_query(&self, query: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Self(url)
    }

    /// Returns the URL with a path appended.
    pub(super) fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        Self(url)
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

/// The two endpoints of a log-in.
pub(super) struct Endpoints {
    pub authorization: Endpoint,
    pub token: Endpoint,
    /// Whether the token endpoint accepts the client secret in the body only.
    pub takes_secret_in_body: bool,
}

impl Endpoints {
    /// Finds the endpoints of a registration. What staff typed takes precedence over what the issuer's
    /// metadata says.
    pub(super) async fn find(
        providers: &ProviderClient,
        registration: &ClientRegistration,
        now: OffsetDateTime,
    ) -> Result<Self, OAuthError> {
        if let (Some(authorization), Some(token)) =
            (registration.authorization_endpoint(), registration.token_endpoint())
        {
            // The built-in providers take it in the body; OpenID's default is Basic (Discovery, 3).
            let takes_secret_in_body = registration.kind != ProviderKind::Oidc;
            return Ok(Self { authorization, token, takes_secret_in_body });
        }
        let issuer = registration.issuer.as_deref().unwrap_or_default();
        let metadata = providers.issuers.find(&providers.http, issuer, now).await?;
        Ok(Self {
            authorization: registration
                .authorization_endpoint()
                .unwrap_or(metadata.authorization_endpoint),
            token: registration.token_endpoint().unwrap_or(metadata.token_endpoint),
            takes_secret_in_body: metadata.takes_secret_in_body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_accepted_and_plain_http_on_this_machine() {
        for text in [
            "https://kauth.kakao.com/oauth/token",
            "https://id.example:8443/realms/a?b=c",
            "http://127.0.0.1:9000/token",
            "http://localhost:9000",
            "http://[::1]:9000/token",
        ] {
            assert!(Endpoint::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn any_other_url_is_refused() {
        for (text, why) in [
            ("", EndpointError::Malformed),
            ("token", EndpointError::Malformed),
            ("ftp://a.example", EndpointError::Malformed),
            ("file:///etc/passwd", EndpointError::Malformed),
            ("https://ada:sesame@a.example", EndpointError::Malformed),
            ("https://a.example/#x", EndpointError::Malformed),
            ("http://a.example", EndpointError::NotHttps),
            ("http://10.0.0.1", EndpointError::NotHttps),
            ("http://localhost.evil.example", EndpointError::NotHttps),
            ("https://10.0.0.1", EndpointError::Private),
            ("https://169.254.169.254/latest", EndpointError::Private),
            ("https://[fd00::1]/", EndpointError::Private),
            ("https://[::ffff:10.0.0.1]/", EndpointError::Private),
            ("https://0x0a000001/", EndpointError::Private),
            ("https://0.0.0.0/", EndpointError::Private),
            ("https://[::]/", EndpointError::Private),
            ("https://[::ffff:127.0.0.1]/", EndpointError::Private),
            ("https://[fe80::1]/", EndpointError::Private),
            ("https://100.64.0.1/", EndpointError::Private),
            ("http://localhost.:9000/", EndpointError::NotHttps),
        ] {
            assert_eq!(Endpoint::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn metadata_leads_to_this_machine_only_from_this_machine() {
        let (far, near) = ("https://id.example", "http://127.0.0.1:9000");
        let [far, near] = [far, near].map(|text| Endpoint::parse(text).expect(text));

        assert!(Endpoint::parse_in_metadata(&far, "https://id.example/token").is_ok());
        assert!(Endpoint::parse_in_metadata(&near, "http://127.0.0.1:9000/token").is_ok());
        assert_eq!(
            Endpoint::parse_in_metadata(&far, "https://127.0.0.1/token"),
            Err(EndpointError::Private)
        );
    }
}

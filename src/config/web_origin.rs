//! The settings that name other places: the origins whose pages may call the API, and further names
//! of this server.
//!
//! What such an origin or name may do is decided in `http`.

use std::str::FromStr;

use url::{Host, Url};

use super::problem::NotAllowed;
use super::public_url::PublicUrl;

/// The origin of another site or app, as a browser writes it into `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    text: String,
    scheme: String,
    host: String,
}

impl WebOrigin {
    /// Returns the origin: `https://app.example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether browsers send the cookies of the public URL with requests of this origin's
    /// pages.
    #[must_use]
    pub fn is_same_site(&self, public_url: &PublicUrl) -> bool {
        let (scheme, _) = public_url.as_str().split_once("://").unwrap_or_default();
        // One scheme and one registrable domain ("schemefully same-site", RFC 6265bis, 5.2). Ports
        // do not matter.
        scheme == self.scheme && site(public_url.host()) == site(&self.host)
    }
}

/// Returns the registrable domain of a host, by the Public Suffix List, or the host itself if it is
/// an address or a name without such a domain.
fn site(host: &str) -> &str {
    let is_address = matches!(Host::parse(host), Ok(Host::Ipv4(_) | Host::Ipv6(_)));
    if is_address { host } else { psl::domain_str(host).unwrap_or(host) }
}

impl FromStr for WebOrigin {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let url = Url::parse(text).map_err(|_| NotAllowed)?;
        let host = url.host_str().filter(|host| !host.is_empty() && !host.contains('*'));
        let host = host.ok_or(NotAllowed)?.to_ascii_lowercase();
        let is_bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare || url.scheme() == "file" {
            return Err(NotAllowed);
        }
        // `Url::origin` is opaque for the schemes of apps, such as `capacitor`.
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let scheme = url.scheme().to_owned();
        Ok(Self { text: format!("{scheme}://{host}{port}"), scheme, host })
    }
}

/// A further name of this server, with or without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    name: String,
    port: Option<u16>,
}

impl AllowedHost {
    /// Returns whether a request's `Host` is this name. A name without a port accepts every port.
    #[must_use]
    pub fn accepts(&self, host: &str) -> bool {
        let Ok(host) = host.parse::<Self>() else { return false };
        let is_port = match (self.port, host.port) {
            (None, _) => true,
            (Some(own), Some(given)) => own == given,
            // The default port of http and https may be left out (RFC 9110, 4.2.3).
            (Some(own), None) => matches!(own, 80 | 443),
        };
        is_port && self.name == host.name
    }
}

impl FromStr for AllowedHost {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                (name, Some(port.parse().map_err(|_| NotAllowed)?))
            }
            _ => (text, None),
        };
        // Service names of a private network may hold what no domain name does, such as `_`.
        let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_ipv6 = || name.starts_with('[') && Host::parse(name).is_ok();
        let is_name = !name.is_empty() && name.bytes().all(is_name_byte);
        if is_name || is_ipv6() {
            Ok(Self { name: name.to_ascii_lowercase(), port })
        } else {
            Err(NotAllowed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Result<String, NotAllowed> {
        text.parse().map(|origin: WebOrigin| origin.as_str().to_owned())
    }

    fn is_same_site(origin: &str, public_url: &str) -> bool {
        let public_url = public_url.parse().expect("an origin");
        origin.parse::<WebOrigin>().expect("an origin").is_same_site(&public_url)
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for (text, written) in [
            ("https://app.example.com", "https://app.example.com"),
            ("https://APP.example.com:443/", "https://app.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("https://대문.example", "https://xn--vk1bx9m.example"),
        ] {
            assert_eq!(origin(text).as_deref(), Ok(written), "{text}");
        }
        for text in [
            "*",
            "null",
            "",
            "example.com",
            "https://*.example.com",
            "https://example.com/app",
            "https://example.com?x",
            "https://u:p@example.com",
            "file:///etc",
            "https://",
            "data:text/html,x",
        ] {
            assert_eq!(origin(text), Err(NotAllowed), "{text}");
        }
    }

    #[test]
    fn same_site_is_one_scheme_and_one_registrable_domain() {
        for (origin, url, is) in [
            ("https://app.example.com", "https://accounts.example.com", true),
            ("https://example.com", "https://accounts.example.com:8443", true),
            ("http://app.example.com", "https://accounts.example.com", false),
            ("https://app.example.org", "https://accounts.example.com", false),
            ("https://a.co.kr", "https://b.co.kr", false),
            ("https://a.b.co.kr", "https://c.b.co.kr", true),
            ("https://ada.github.io", "https://bob.github.io", false),
            ("http://localhost:3000", "http://localhost:8000", true),
            ("http://127.0.0.1:3000", "http://127.0.0.1:8000", true),
            ("http://10.0.0.1", "http://10.1.0.1", false),
            ("capacitor://localhost", "http://localhost:8000", false),
        ] {
            assert_eq!(is_same_site(origin, url), is, "{origin} {url}");
        }
    }

    #[test]
    fn a_host_is_recognised_whatever_its_case_and_default_port() {
        for (setting, host, is) in [
            ("backend", "backend", true),
            ("backend", "Backend:8000", true),
            ("backend:8000", "backend:8000", true),
            ("backend:8000", "backend", false),
            ("backend:8000", "backend:8001", false),
            ("backend:80", "backend", true),
            ("backend", "backend.example", false),
            ("my_service", "my_service:80", true),
            ("[fd00::1]", "[fd00::1]:8000", true),
        ] {
            let setting: AllowedHost = setting.parse().expect("a host");
            assert_eq!(setting.accepts(host), is, "{setting:?} {host}");
        }
        for text in
            ["", "*", "http://backend", "backend/", "a b", "backend:http", "[fd00::1", ":80"]
        {
            assert!(text.parse::<AllowedHost>().is_err(), "{text}");
        }
    }
}

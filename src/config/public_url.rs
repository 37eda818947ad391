//! The origin of the site: scheme, host and port, nothing behind.
//!
//! Compares origins and hosts as they are written in requests; does not resolve names.

use std::str::FromStr;

use url::{Host, Origin, Url};

use super::problem::NotAllowed;

/// The origin under which users reach the site: scheme, host and port, nothing behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    authority: String,
    is_https: bool,
    is_loopback: bool,
}

impl PublicUrl {
    pub(super) fn local(port: u16) -> Self {
        format!("http://localhost:{port}").parse().expect("localhost and a port are an origin")
    }

    /// Returns the origin as browsers write it: `https://accounts.example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Returns host and port as in a request's `Host`.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the host alone, without the port; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Returns whether cookies can be `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Returns whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Returns whether a request's `Origin` is this one. On a loopback origin the other names of
    /// the same machine count too.
    #[must_use]
    pub fn is_origin(&self, origin: &str) -> bool {
        origin == self.origin
            // `http://127.0.0.1:8000` works as well as `http://localhost:8000`: the same port leads
            // to the same server.
            || origin.parse::<Self>().is_ok_and(|other| {
                self.is_loopback
                    && other.is_loopback
                    && self.is_https == other.is_https
                    && self.port() == other.port()
            })
    }

    /// Returns whether a request's `Host` names this origin.
    #[must_use]
    pub fn is_authority(&self, host: &str) -> bool {
        // Some clients and proxies write the scheme's default port out (RFC 9110, 4.2.3).
        let default = if self.is_https { ":443" } else { ":80" };
        let has_default_port = self.port().is_none();
        let host = host.strip_suffix(default).filter(|_| has_default_port).unwrap_or(host);
        host.eq_ignore_ascii_case(&self.authority)
    }

    fn port(&self) -> Option<u16> {
        self.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }
}

impl FromStr for PublicUrl {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let url = Url::parse(text).map_err(|_| NotAllowed)?;
        let is_bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let Origin::Tuple(scheme, host, _) = url.origin() else { return Err(NotAllowed) };
        if !is_bare || !matches!(scheme.as_str(), "http" | "https") {
            return Err(NotAllowed);
        }
        let is_loopback = is_loopback(&host);
        let origin = url.origin().ascii_serialization();
        let authority = origin.split_once("://").map_or("", |(_, rest)| rest).to_owned();
        Ok(Self { origin, authority, is_https: scheme == "https", is_loopback })
    }
}

/// Returns whether a host is this machine, by any of the names that never lead elsewhere (RFC 6761,
/// 6.3).
pub(super) fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_and_nothing_more() {
        let url: PublicUrl = "https://Accounts.Example.com:443/".parse().expect("an origin");
        assert_eq!(url.as_str(), "https://accounts.example.com");
        assert_eq!(url.authority(), "accounts.example.com");

        for text in [
            "",
            "accounts.example.com",
            "ftp://x",
            "https://x/path",
            "https://x/?q",
            "https://u:p@x",
            "https://",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_names_of_this_machine_are_one_origin_on_one_port() {
        let url: PublicUrl = "http://localhost:8000".parse().expect("an origin");

        assert!(url.is_origin("http://localhost:8000"));
        assert!(url.is_origin("http://127.0.0.1:8000"));
        assert!(url.is_origin("http://[::1]:8000"));
        for other in [
            "null",
            "",
            "http://localhost",
            "http://localhost:8001",
            "https://localhost:8000",
            "http://evil.example:8000",
            "http://localhost.evil.example:8000",
        ] {
            assert!(!url.is_origin(other), "{other:?}");
        }
    }

    #[test]
    fn the_default_port_may_be_written_out() {
        let is = |url: &str, host| url.parse::<PublicUrl>().expect("an origin").is_authority(host);

        assert!(is("https://gate.example", "gate.example:443"));
        assert!(is("https://gate.example", "Gate.Example:443"));
        assert!(is("http://gate.example", "gate.example:80"));
        assert!(is("https://[2001:db8::1]", "[2001:db8::1]:443"));
        assert!(is("https://gate.example:8443", "gate.example:8443"));
        for host in
            ["gate.example:80", "gate.example:", "gate.example:0443", "gate.example:443:443", ""]
        {
            assert!(!is("https://gate.example", host), "{host:?}");
        }
        assert!(!is("https://gate.example:8443", "gate.example"));
        assert!(!is("https://gate.example:8443", "gate.example:443"));
        assert!(!is("https://gate.example:8443", "gate.example:8443:443"));
    }

    #[test]
    fn a_site_on_the_internet_has_one_origin() {
        let url: PublicUrl = "https://gate.example".parse().expect("an origin");

        assert!(url.is_origin("https://gate.example"));
        assert!(!url.is_origin("http://gate.example"));
        assert!(!url.is_origin("https://gate.example.evil.example"));
        assert!(!url.is_origin("https://localhost"));
    }
}

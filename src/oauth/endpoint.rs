//! Addresses of providers that may be asked.
//!
//! Whatever the program fetches, somebody else chose: staff who typed it, or a provider whose document
//! named it. Neither may send the program to a machine that only the program can reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;
use url::{Host, Url};

/// Longest address that is taken.
const MAX_BYTES: usize = 512;

/// An address that may be asked: https, or plain http on this very machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// It is no address, or carries a name, a password or a fragment.
    #[error("not an address that can be asked")]
    Malformed,
    /// It is not https, and not of this machine.
    #[error("not https")]
    NotHttps,
    /// It belongs to a network that only this machine sees.
    #[error("a private address")]
    Private,
}

impl Endpoint {
    /// An address that staff typed. They may mean this machine, and say so by typing it.
    ///
    /// # Errors
    /// [`EndpointError`] says what is wrong.
    pub fn typed(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| EndpointError::Malformed)?;
        let has_more = !url.username().is_empty() || url.password().is_some();
        if has_more || url.fragment().is_some() || text.len() > MAX_BYTES {
            return Err(EndpointError::Malformed);
        }
        let here = Self(url);
        match (here.0.scheme(), here.is_loopback()) {
            ("https", _) | ("http", true) => {}
            ("http", false) => return Err(EndpointError::NotHttps),
            _ => return Err(EndpointError::Malformed),
        }
        let ip = match here.0.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(EndpointError::Malformed),
        };
        match ip {
            Some(ip) if !here.is_loopback() && !is_public(ip) => Err(EndpointError::Private),
            _ => Ok(here),
        }
    }

    /// An address that a provider's document named. It may be of this machine only if the document is.
    ///
    /// # Errors
    /// [`EndpointError`] says what is wrong.
    pub fn session_id_in(document: &Self, text: &str) -> Result<Self, EndpointError> {
        let named = Self::typed(text)?;
        if named.is_loopback() && !document.is_loopback() {
            return Err(EndpointError::Private);
        }
        Ok(named)
    }

    /// An address that is written in the program.
    pub(crate) fn known(text: &'static str) -> Self {
        Self::typed(text).expect("addresses in the program can be asked")
    }

    /// Whether it is of this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme, host and port, as a page's policy names them.
    #[must_use]
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The address with these values in its query.
    pub(crate) fn with(&self, query: &[(&str, &str)]) -> Self {
        let mut url = self.0.clone();
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Self(url)
    }

    /// The address of something below this one.
    pub(crate) fn below(&self, name: &str) -> Self {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(name.split('/'));
        }
        Self(url)
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

/// Whether an address is of the Internet that everybody sees (the registries of RFC 6890, and what
/// clouds put beside them).
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public_v4(ip),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_for_tests = a == 198 && (18..20).contains(&b);
    let is_for_protocols = (a, b, c) == (192, 0, 0);
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || is_shared
        || is_for_tests
        || is_for_protocols)
}

/// What is routed lies in `2000::/3` (RFC 4291, 2.4). Of that, documentation and what is for protocols
/// (`2001::/23`, Teredo among it) are left out, and 6to4 is as public as the IPv4 address inside.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, third, ..] = ip.segments();
    let is_routed = first & 0xe000 == 0x2000;
    let is_documentation =
        (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second < 0x1000);
    let is_for_protocols = first == 0x2001 && second < 0x200;
    let [a, b] = second.to_be_bytes();
    let [c, d] = third.to_be_bytes();
    let is_inside = first != 0x2002 || is_public_v4(Ipv4Addr::new(a, b, c, d));
    is_routed && !is_documentation && !is_for_protocols && is_inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_taken_and_plain_http_of_this_machine() {
        for text in [
            "https://kauth.kakao.com/oauth/token",
            "https://id.example:8443/realms/a?b=c",
            "http://127.0.0.1:9000/token",
            "http://localhost:9000",
            "http://[::1]:9000/token",
        ] {
            assert!(Endpoint::typed(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn nothing_else_is() {
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
            assert_eq!(Endpoint::typed(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_document_leads_to_this_machine_only_from_this_machine() {
        let (far, near) = ("https://id.example", "http://127.0.0.1:9000");
        let [far, near] = [far, near].map(|text| Endpoint::typed(text).expect(text));

        assert!(Endpoint::session_id_in(&far, "https://id.example/token").is_ok());
        assert!(Endpoint::session_id_in(&near, "http://127.0.0.1:9000/token").is_ok());
        assert_eq!(
            Endpoint::session_id_in(&far, "https://127.0.0.1/token"),
            Err(EndpointError::Private)
        );
    }

    #[test]
    fn an_address_of_the_internet_is_public_and_no_other() {
        for (ip, is) in [
            ("8.8.8.8", true),
            ("2606:4700::1111", true),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.0.1", false),
            ("100.64.0.1", false),
            ("169.254.169.254", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00:ec2::254", false),
            ("::ffff:127.0.0.1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("2002:a00:1::", false),
            ("2001:db8::1", false),
            ("2001:0:7f00:1::", false),
            ("2001:2::1", false),
            ("3fff::1", false),
            ("::127.0.0.1", false),
            ("198.18.0.1", false),
            ("192.0.0.8", false),
        ] {
            assert_eq!(is_public(ip.parse().expect(ip)), is, "{ip}");
        }
    }
}

//! Where a request came from: client address, user agent, request id.

use std::net::{IpAddr, Ipv6Addr};

/// The longest user agent that is kept, in characters; real ones have at most a few hundred.
const MAX_USER_AGENT: usize = 300;

/// Where a request came from, for rate limits, the audit log and the list of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestInfo {
    /// The client's address; `None` for the command line.
    pub address: Option<IpAddr>,
    /// The `User-Agent` header, without control characters and cut to a bounded length.
    pub user_agent: String,
    /// The id of the request in logs and on error pages.
    pub request_id: String,
    /// The device token, unchecked.
    pub device: Option<String>,
    /// How the client keeps its tokens.
    pub transport: Transport,
}

/// How a client keeps its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// In cookies, as browsers do.
    #[default]
    Cookie,
    /// By itself, as API clients do: it gets them in the response body.
    Token,
}

impl Transport {
    /// Returns the stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Token => "token",
        }
    }
}

impl RequestInfo {
    /// Describes a request from the network.
    #[must_use]
    pub fn new(
        address: Option<IpAddr>,
        user_agent: &str,
        request_id: String,
        device: Option<String>,
    ) -> Self {
        let printable = user_agent.chars().filter(|char| !char.is_control());
        let user_agent = printable.take(MAX_USER_AGENT).collect();
        Self {
            // `::ffff:192.0.2.1` and `192.0.2.1` are one client.
            address: address.map(|address| address.to_canonical()),
            user_agent,
            request_id,
            device,
            transport: Transport::Cookie,
        }
    }

    /// Describes the same request of a client that keeps its tokens itself.
    #[must_use]
    pub fn with_token_transport(&self) -> Self {
        Self { transport: Transport::Token, ..self.clone() }
    }

    /// Describes a command at the machine's own terminal.
    #[must_use]
    pub fn from_terminal(request_id: String) -> Self {
        Self {
            address: None,
            user_agent: "daemun".into(),
            request_id,
            device: None,
            transport: Transport::Cookie,
        }
    }

    /// Returns the address as text; empty at the terminal.
    #[must_use]
    pub fn ip(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }

    /// Returns the client network as text; empty at the terminal.
    #[must_use]
    pub fn client_network(&self) -> String {
        self.address.map(|address| client_network(address).to_string()).unwrap_or_default()
    }
}

/// Returns the network within which one subscriber can easily vary the address.
#[must_use]
pub fn client_network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            // A /64 is the smallest network that a provider assigns (RFC 6177).
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network_of(address: &str) -> String {
        RequestInfo::new(address.parse().ok(), "", String::new(), None).client_network()
    }

    #[test]
    fn one_subscriber_is_one_client_network() {
        assert_eq!(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:2:ffff::9"));
        assert_eq!(network_of("2001:db8:1:2::1"), network_of("2001:0db8:0001:0002:0:0:0:1"));
        assert_eq!(network_of("::ffff:192.0.2.1"), network_of("192.0.2.1"));
        assert_ne!(network_of("2001:db8:1:2::1"), network_of("2001:db8:1:3::1"));
        assert_ne!(network_of("192.0.2.1"), network_of("192.0.2.2"));
    }

    #[test]
    fn a_user_agent_is_cut_and_cleaned() {
        let info = RequestInfo::new(None, &"a\u{7}".repeat(999), String::new(), None);

        assert_eq!(info.user_agent, "a".repeat(MAX_USER_AGENT));
    }
}

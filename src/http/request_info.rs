//! Request info: the client address behind trusted proxies, the user agent, and the request id.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};

use super::{cookies, forwarded};
use crate::config::is_trusted;
use crate::context::Context;
use crate::types::RequestInfo;

/// Returns the request info; computed once per request.
pub(crate) fn of<'r>(request: &'r Request<'_>, ctx: &Context) -> &'r RequestInfo {
    request.local_cache(|| {
        let peer = request.remote().map(|peer| peer.ip().to_canonical());
        let address = match peer {
            Some(peer) if is_trusted(peer, &ctx.settings.trusted_proxies) => {
                Some(client_address_behind(peer, request, ctx))
            }
            Some(peer) => Some(peer),
            None => {
                is_over_unix_socket(request).then(|| client_address_over_unix_socket(request, ctx))
            }
        };
        let user_agent = request.headers().get_one("User-Agent").unwrap_or_default();
        let device = cookies::device(request.cookies(), ctx).map(str::to_owned);
        RequestInfo::new(address, user_agent, request_id(peer, request, ctx), device)
    })
}

/// Returns the client address behind a trusted proxy. If the proxy sends no readable address, it is
/// the proxy's own.
fn client_address_behind(peer: IpAddr, request: &Request<'_>, ctx: &Context) -> IpAddr {
    let trusted = &ctx.settings.trusted_proxies;
    let list: Vec<_> = request.headers().get("X-Forwarded-For").collect();
    let rfc_7239: Vec<_> = request.headers().get("Forwarded").collect();
    let by_list = (!list.is_empty()).then(|| client(peer, forwarded::by_list(&list), trusted));
    let by_rfc_7239 = forwarded::names_clients(&rfc_7239)
        .then(|| client(peer, forwarded::by_rfc_7239(&rfc_7239), trusted));
    let found = match (by_list, by_rfc_7239) {
        // A proxy writes one of the two headers and passes the other on, so a client could choose
        // its address by it. Now it only moves itself into the proxy's bucket.
        (Some(one), Some(other)) if one.address != other.address => {
            ctx.forwarding.report_contradiction(peer);
            return peer;
        }
        (Some(found), _) | (None, Some(found)) => found,
        (None, None) => return peer,
    };
    // A trusted proxy wrote it, so it is a fault of the settings and no attack.
    if found.is_cut_short {
        ctx.forwarding.report_unreadable(found.address);
    }
    found.address
}

/// Returns the request id: the one that a trusted proxy sends, or a new one.
fn request_id(peer: Option<IpAddr>, request: &Request<'_>, ctx: &Context) -> String {
    let mut given = request.headers().get("X-Request-Id");
    let given = match (given.next(), given.next()) {
        // Of two headers it is unknown which one the proxy wrote.
        (Some(given), None) => Some(given),
        _ => None,
    };
    let is_trusted = match peer {
        Some(peer) => is_trusted(peer, &ctx.settings.trusted_proxies),
        None => is_over_unix_socket(request),
    };
    match given.filter(|given| is_trusted && is_request_id(given)) {
        Some(given) => given.to_owned(),
        None => ctx.random.request_id(),
    }
}

/// Returns whether a request id is safe to log, and long enough for a UUID or a hash.
fn is_request_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (8..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r RequestInfo {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match request.rocket().state::<Context>() {
            Some(ctx) => Outcome::Success(of(request, ctx)),
            None => Outcome::Error((Status::InternalServerError, ())),
        }
    }
}

/// Whether a request came over a Unix socket.
struct OverUnixSocket(bool);

/// Marks a request that came over a Unix socket.
pub(super) fn mark_unix_socket(request: &Request<'_>) {
    request.local_cache(|| OverUnixSocket(true));
}

fn is_over_unix_socket(request: &Request<'_>) -> bool {
    request.local_cache(|| OverUnixSocket(false)).0
}

/// Returns the client address behind a proxy that connects to a Unix socket.
fn client_address_over_unix_socket(request: &Request<'_>, ctx: &Context) -> IpAddr {
    // The file system decides who may connect, so the peer is trusted, also where `trusted_proxies`
    // does not name this machine's own address.
    client_address_behind(IpAddr::V4(Ipv4Addr::LOCALHOST), request, ctx)
}

/// The client address, as far as trusted proxies tell it.
#[derive(Debug, PartialEq, Eq)]
struct ClientAddress {
    address: IpAddr,
    /// It is the address of a trusted proxy, because what that proxy wrote cannot be read.
    is_cut_short: bool,
}

/// Returns the client behind a trusted peer: the last hop that neither the peer nor another trusted
/// proxy is.
fn client(
    peer: IpAddr,
    hops: impl Iterator<Item = Option<IpAddr>>,
    trusted: &[IpNet],
) -> ClientAddress {
    let mut client = peer;
    for (place, hop) in hops.enumerate() {
        if place > 0 && !is_trusted(client, trusted) {
            break;
        }
        match hop {
            Some(address) => client = address,
            // What is left of an unreadable hop may have been written by the client.
            None => return ClientAddress { address: client, is_cut_short: true },
        }
    }
    ClientAddress { address: client, is_cut_short: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[&str], trusted: &[&str]) -> String {
        found(peer, headers, trusted).address.to_string()
    }

    fn found(peer: &str, headers: &[&str], trusted: &[&str]) -> ClientAddress {
        let trusted: Vec<IpNet> =
            trusted.iter().map(|net| net.parse().expect("a network")).collect();
        let peer = peer.parse().expect("an address");
        if !is_trusted(peer, &trusted) {
            return ClientAddress { address: peer, is_cut_short: false };
        }
        client(peer, forwarded::by_list(headers), &trusted)
    }

    #[test]
    fn an_untrusted_peer_cannot_choose_an_address() {
        assert_eq!(seen("192.0.2.1", &["9.9.9.9"], &[]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1", &["9.9.9.9"], &["10.0.0.0/8"]), "192.0.2.1");
    }

    #[test]
    fn behind_a_proxy_the_last_untrusted_hop_counts() {
        let ours = ["10.0.0.0/8"];
        assert_eq!(seen("10.0.0.1", &["192.0.2.7"], &ours), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["9.9.9.9, 192.0.2.7"], &ours), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["9.9.9.9", "192.0.2.7, 10.0.0.2"], &ours), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["192.0.2.7, unknown"], &ours), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[], &ours), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["2001:db8::7"], &ours), "2001:db8::7");
        assert_eq!(seen("10.0.0.1", &["::ffff:192.0.2.7"], &ours), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &["192.0.2.7:1, 10.0.0.2:2,"], &ours), "192.0.2.7");
    }

    #[test]
    fn only_headers_of_trusted_proxies_are_reported_as_unreadable() {
        let ours = ["10.0.0.0/8"];
        assert!(!found("10.0.0.1", &["rubbish, 192.0.2.7"], &ours).is_cut_short);
        assert!(!found("192.0.2.1", &["rubbish"], &ours).is_cut_short);
        assert!(!found("10.0.0.1", &[], &ours).is_cut_short);
        assert!(found("10.0.0.1", &["192.0.2.7, rubbish"], &ours).is_cut_short);
        assert!(found("10.0.0.1", &["rubbish, 10.0.0.2"], &ours).is_cut_short);
    }

    #[test]
    fn a_request_id_is_short_and_plain() {
        assert!(is_request_id("0193e6a4-7b1c-7def-8123-456789abcdef"));
        for text in ["", "short", "with space", "line\nbreak", "a=\"b\"cdef", &"x".repeat(65)] {
            assert!(!is_request_id(text), "{text:?}");
        }
    }
}

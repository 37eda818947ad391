//! Who is asking: the address behind trusted proxies, the user agent, and a name for the request.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use rocket::Request;
use rocket::http::Status;
use rocket::request::{FromRequest, Outcome};

use super::cookies;
use crate::ctx::Ctx;
use crate::types::Caller;

/// The caller of a request; worked out once.
pub(crate) fn caller<'r>(request: &'r Request<'_>, ctx: &Ctx) -> &'r Caller {
    request.local_cache(|| {
        let peer = request.remote().map(|peer| peer.ip().to_canonical());
        let forwarded: Vec<_> = request.headers().get("X-Forwarded-For").collect();
        let trusted = &ctx.settings.trusted_proxies;
        let address = match peer {
            Some(peer) => Some(client(peer, &forwarded, trusted)),
            None => is_over_unix_socket(request).then(|| behind_unix_socket(&forwarded, trusted)),
        };
        let user_agent = request.headers().get_one("User-Agent").unwrap_or_default();
        let device = cookies::device(request.cookies(), ctx).map(str::to_owned);
        Caller::new(address, user_agent, ctx.random.request_id(), device)
    })
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for &'r Caller {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match request.rocket().state::<Ctx>() {
            Some(ctx) => Outcome::Success(caller(request, ctx)),
            None => Outcome::Error((Status::InternalServerError, ())),
        }
    }
}

/// Whether a request came over a Unix socket.
struct OverUnixSocket(bool);

/// Notes that a request came over a Unix socket.
pub(super) fn came_over_unix_socket(request: &Request<'_>) {
    request.local_cache(|| OverUnixSocket(true));
}

fn is_over_unix_socket(request: &Request<'_>) -> bool {
    request.local_cache(|| OverUnixSocket(false)).0
}

/// Returns the client of a proxy that connects to a Unix socket. The file system decides who may, so the
/// peer is trusted like a proxy at this machine's own address.
fn behind_unix_socket(forwarded: &[&str], trusted: &[IpNet]) -> IpAddr {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    client(peer, forwarded, &[trusted, &[IpNet::from(peer)]].concat())
}

/// The client is the peer, unless the peer is a trusted proxy: then it is the last hop that no
/// trusted proxy wrote down. What is not an address ends the search, for whoever wrote it is not to
/// be believed.
fn client(peer: IpAddr, forwarded: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    for hop in forwarded.iter().rev().flat_map(|header| header.rsplit(',')) {
        if !is_trusted(&client) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => client = address.to_canonical(),
            Err(_) => break,
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> =
            trusted.iter().map(|net| net.parse().expect("a network")).collect();
        client(peer.parse().expect("an address"), headers, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_an_address() {
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
    }
}

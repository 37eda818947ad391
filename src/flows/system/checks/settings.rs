//! Checks the settings against each other and against the address that the server binds.

use std::net::IpAddr;

use super::finding::Finding;
use crate::config::{Settings, is_trusted};
use crate::crypto::HashCost;
use crate::forwarding;

pub(super) fn check_settings(settings: &Settings, listens_on: IpAddr) -> Vec<Finding> {
    let url = &settings.public_url;
    let trusts_everybody = settings.trusted_proxies.iter().any(|net| net.prefix_len() == 0);
    let unreadable_proxy = forwarding::unreadable_proxy(&settings.data_dir)
        .filter(|proxy| is_trusted(*proxy, &settings.trusted_proxies));
    // A peer on a Unix socket is trusted, and no other can connect.
    let is_on_port = settings.unix_socket.is_none();
    let is_behind_proxy = url.is_https() && listens_on.is_loopback() && is_on_port;
    let recommended = HashCost::default();
    let cost = settings.password_hash;
    let is_cheap = cost.memory < recommended.memory || cost.passes < recommended.passes;
    [
        (!url.is_https() && !url.is_loopback()).then_some(Finding::PlainHttp),
        (url.is_loopback() && !listens_on.is_loopback() && is_on_port)
            .then_some(Finding::LocalLinks),
        (is_behind_proxy && settings.trusted_proxies.is_empty())
            .then_some(Finding::ProxyNotTrusted),
        unreadable_proxy.map(Finding::ProxyUnreadable),
        trusts_everybody.then_some(Finding::EveryProxyTrusted),
        is_cheap.then_some(Finding::CheapHash(cost)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

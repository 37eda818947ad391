//! Tells which IP addresses are on the public Internet, by the registries of reserved addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether an address is on the public Internet: not in the registries of RFC 6890, nor in the
/// ranges that cloud providers use for themselves.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        // `::ffff:10.0.0.1` reaches the IPv4 address inside it.
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => is_public_v4(ip),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    // RFC 6598, RFC 2544 and RFC 6890, 2.1.
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

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, third, ..] = ip.segments();
    // `2000::/3` is all that is assigned for the Internet (RFC 4291, 2.4).
    let is_routed = first & 0xe000 == 0x2000;
    let is_documentation =
        (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second < 0x1000);
    // `2001::/23`, which includes Teredo.
    let is_for_protocols = first == 0x2001 && second < 0x200;
    let [a, b] = second.to_be_bytes();
    let [c, d] = third.to_be_bytes();
    // A 6to4 address (`2002::/16`) is as public as the IPv4 address inside it.
    let is_inside = first != 0x2002 || is_public_v4(Ipv4Addr::new(a, b, c, d));
    is_routed && !is_documentation && !is_for_protocols && is_inside
}

#[cfg(test)]
mod tests {
    use super::*;

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

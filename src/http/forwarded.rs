//! Parses what proxies write about the client of a request: `X-Forwarded-For`, and `Forwarded` (RFC
//! 7239).
//!
//! Reads from the right, because the nearest proxy writes last. The client may have written what is
//! further left, so nothing there, not even an open quotation mark, changes how the right is read.
//! Which hops are trusted is decided in `request_info`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the hops of `X-Forwarded-For`, the nearest first; `None` is a hop that cannot be read.
pub(super) fn by_list<'h>(headers: &'h [&'h str]) -> impl Iterator<Item = Option<IpAddr>> + 'h {
    // From the right: the nearest proxy writes last. Empty elements are skipped (RFC 9110, 5.6.1).
    let elements = headers.iter().rev().flat_map(|header| header.rsplit(','));
    elements.map(str::trim).filter(|element| !element.is_empty()).map(node)
}

/// Returns the hops of `Forwarded` in the same way.
pub(super) fn by_rfc_7239<'h>(headers: &'h [&'h str]) -> impl Iterator<Item = Option<IpAddr>> + 'h {
    let elements = headers.iter().rev().flat_map(|header| rsplit_unquoted(header, b','));
    elements.map(str::trim).filter(|element| !element.is_empty()).map(client_of)
}

/// Returns whether `Forwarded` names any client; some proxies only write the scheme into it.
pub(super) fn names_clients(headers: &[&str]) -> bool {
    let elements = headers.iter().flat_map(|header| rsplit_unquoted(header, b','));
    elements.flat_map(|element| rsplit_unquoted(element, b';')).any(|pair| value_of(pair).is_some())
}

/// Returns the address in the `for` of one element.
fn client_of(element: &str) -> Option<IpAddr> {
    // No node needs an escape (RFC 7239, 6), and without escapes quotes come in pairs.
    if element.contains('\\') {
        return None;
    }
    let mut values = rsplit_unquoted(element, b';').into_iter().filter_map(value_of);
    match (values.next(), values.next()) {
        // Two clients in one element: neither can be believed.
        (Some(value), None) => node(value),
        _ => None,
    }
}

/// Returns the value if the pair is called `for`.
fn value_of(pair: &str) -> Option<&str> {
    let (name, value) = pair.split_once('=')?;
    name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
}

/// Returns the parts between separators outside of quotation marks, from the right.
fn rsplit_unquoted(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut end, mut is_quoted) = (Vec::new(), text.len(), false);
    // An open quotation mark further left, which the client may have written, changes nothing here.
    for (at, byte) in text.bytes().enumerate().rev() {
        if byte == b'"' {
            is_quoted = !is_quoted;
        } else if byte == separator && !is_quoted {
            parts.push(&text[at + 1..end]);
            end = at;
        }
    }
    parts.push(&text[..end]);
    parts
}

/// Parses an address as proxies write it: bare, in brackets, with a port, in quotation marks.
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let text = bare.unwrap_or(text).trim();
    let address = if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        is_port_or_nothing(port).then(|| address.parse::<Ipv6Addr>().ok())??.into()
    } else if let Ok(address) = text.parse::<IpAddr>() {
        address
    } else {
        let (address, port) = text.split_once(':')?;
        is_port(port).then(|| address.parse::<Ipv4Addr>().ok())??.into()
    };
    // `::ffff:192.0.2.7` and `192.0.2.7` are one client.
    Some(address.to_canonical())
}

fn is_port_or_nothing(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(is_port)
}

/// Accepts a port, or an obfuscated one (RFC 7239, 6.2).
fn is_port(text: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match text.strip_prefix('_') {
        Some(name) => !name.is_empty() && name.bytes().all(is_name_byte),
        None => text.parse::<u16>().is_ok() && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(headers: &[&str]) -> Vec<String> {
        formatted(by_list(headers))
    }

    fn rfc(headers: &[&str]) -> Vec<String> {
        formatted(by_rfc_7239(headers))
    }

    fn formatted(hops: impl Iterator<Item = Option<IpAddr>>) -> Vec<String> {
        hops.map(|hop| hop.map_or_else(|| "?".into(), |hop| hop.to_string())).collect()
    }

    #[test]
    fn an_address_is_read_however_proxies_write_it() {
        for text in [
            "192.0.2.7",
            " 192.0.2.7\t",
            "192.0.2.7:51234",
            "\"192.0.2.7\"",
            "\"192.0.2.7:51234\"",
            "::ffff:192.0.2.7",
            "[::ffff:192.0.2.7]:80",
            "192.0.2.7,",
            "192.0.2.7, ,",
        ] {
            assert_eq!(list(&[text]), ["192.0.2.7"], "{text}");
        }
        for text in [
            "2001:db8::7",
            "[2001:db8::7]",
            "[2001:db8::7]:443",
            "\"[2001:db8::7]:443\"",
            "\"2001:db8::7\"",
        ] {
            assert_eq!(list(&[text]), ["2001:db8::7"], "{text}");
        }
    }

    #[test]
    fn a_hop_without_an_address_is_unreadable() {
        for text in [
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.7:",
            "192.0.2.7:99999",
            "192.0.2.7:+80",
            "192.0.2.7:80:80",
            "[192.0.2.7]",
            "[2001:db8::7",
            "[2001:db8::7]443",
            "[2001:db8::7]:x",
            "\"192.0.2.7",
            "192.0.2.7 9.9.9.9",
            "localhost:80",
            "\u{ac00}",
        ] {
            assert_eq!(list(&[text]), ["?"], "{text}");
        }
        assert!(list(&["", " , "]).is_empty());
    }

    #[test]
    fn the_nearest_hop_comes_first() {
        assert_eq!(
            list(&["1.1.1.1", "2.2.2.2:80, x,3.3.3.3"]),
            ["3.3.3.3", "?", "2.2.2.2", "1.1.1.1"]
        );
        assert_eq!(
            rfc(&["for=1.1.1.1", "for=2.2.2.2;proto=http, For=\"3.3.3.3:80\""]),
            ["3.3.3.3", "2.2.2.2", "1.1.1.1"]
        );
    }

    #[test]
    fn the_forwarded_header_is_parsed_as_rfc_7239_says() {
        for (text, hops) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", &["192.0.2.60"][..]),
            ("For=\"[2001:db8:cafe::17]:4711\"", &["2001:db8:cafe::17"]),
            ("proto=https; FOR = \"192.0.2.7:_gate\"", &["192.0.2.7"]),
            ("for=_hidden, for=_SEVKISEK", &["?", "?"]),
            ("for=unknown", &["?"]),
            ("proto=https", &["?"]),
            ("for=1.1.1.1;for=2.2.2.2", &["?"]),
            ("by=\"a,b;for=9.9.9.9\";for=1.1.1.1,", &["1.1.1.1"]),
            ("for=\"\\1.1.1.1\"", &["?"]),
            ("", &[]),
        ] {
            assert_eq!(rfc(&[text]), hops, "{text}");
        }
        assert!(names_clients(&["proto=http, For=x"]));
        assert!(!names_clients(&["proto=https;host=\"for=1.1.1.1\"", ""]));
    }

    #[test]
    fn a_client_cannot_change_what_the_proxy_wrote() {
        for client in
            ["\"", "for=\"", "x=\"y", "for=9.9.9.9;x=\"", "\\", "for=\"\\", ";\";", "[", ",,"]
        {
            for proxy in ["for=192.0.2.7", "for=\"192.0.2.7:80\";by=\"_a,b\""] {
                let header = format!("{client}, {proxy}");
                assert_eq!(rfc(&[&header])[0], "192.0.2.7", "{header}");
            }
            let header = format!("{client}, 192.0.2.7");
            assert_eq!(list(&[&header])[0], "192.0.2.7", "{header}");
        }
    }
}

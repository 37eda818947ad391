//! Repairs the `Cookie` header of a request, so that our cookies are found whatever bytes other
//! cookies contain.
//!
//! Any application under a parent domain can set a cookie for this site too, with any bytes in its
//! value, and browsers send all cookies in one header. Rocket 0.5 ignores a header that is not
//! UTF-8, so one such cookie would hide ours. A server that reads requests itself calls
//! [`repaired`] before Rocket sees them; behind Rocket's own server it is too late.
//!
//! Reads no cookie and knows no name.

use std::borrow::Cow;

/// Returns the value of a `Cookie` header without the pairs that are not UTF-8; `None` if nothing
/// is left.
#[must_use]
pub fn repaired(raw: &[u8]) -> Option<Cow<'_, str>> {
    if let Ok(text) = std::str::from_utf8(raw) {
        return Some(Cow::Borrowed(text));
    }
    // Pairs are separated by `;` alone (RFC 6265bis, 4.2.1). In UTF-8 no byte of a longer sequence
    // is a semicolon, so an unreadable pair ends where the next one begins.
    let pairs = raw.split(|byte| *byte == b';');
    let readable = pairs.filter_map(|pair| std::str::from_utf8(pair).ok().map(str::trim));
    let kept: Vec<_> = readable.filter(|pair| !pair.is_empty()).collect();
    (!kept.is_empty()).then(|| Cow::Owned(kept.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(raw: &[u8]) -> String {
        repaired(raw).map(Cow::into_owned).unwrap_or_default()
    }

    #[test]
    fn our_cookies_are_found_whatever_bytes_others_contain() {
        let ours = "__Host-visitor=abc; __Host-refresh=e.y.J";
        let neighbours: [&[u8]; 6] = [
            b"nick=\xc8\xab\xb9\xe6",
            b"\xff",
            b"=\xff",
            b"\xfe=\xff=\xff",
            b"x=\"\xff",
            b"\xe2\x82",
        ];
        for neighbour in neighbours {
            for raw in [
                [neighbour, b"; ", ours.as_bytes()].concat(),
                [ours.as_bytes(), b";", neighbour].concat(),
                [b"__Host-visitor=abc; ", neighbour, b" ;__Host-refresh=e.y.J"].concat(),
            ] {
                assert_eq!(kept(&raw), ours, "{raw:?}");
            }
        }
    }

    #[test]
    fn a_readable_header_stays_as_it_is() {
        for text in ["a=b", "a=b;c=d ;; e", "이름=홍길동; a=\"b\"", ""] {
            assert!(matches!(repaired(text.as_bytes()), Some(Cow::Borrowed(kept)) if kept == text));
        }
    }

    #[test]
    fn two_pairs_never_become_one() {
        // The tail of a broken pair must not become a pair of its own, or join its neighbour.
        assert_eq!(kept(b"x=\xffaccess=evil; a=b"), "a=b");
        assert_eq!(kept(b"a=\xff"), "");
        assert_eq!(kept(b"\xff;\xfe;  ; "), "");
    }
}

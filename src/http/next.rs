//! Where a user was going (`next`): a path on this site, checked against open redirects.

use rocket::http::uri::Origin;
use url::Url;

use crate::paths;
use crate::paths::Kind;

/// The longest path that is kept; no bookmark is longer.
const MAX_BYTES: usize = 2048;

/// A path with an optional query that cannot lead to another origin, however a browser reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SafeNext(String);

impl SafeNext {
    /// Parses a path; returns `None` for everything that is not certainly one of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // Browsers leave these two as they are, RFC 3986 (and so Rocket's redirect) accepts them
        // only encoded, and every server reads both the same way.
        let text = &text.replace('|', "%7C").replace('^', "%5E");
        let path = path_of(text);
        // An allow-list, because Django's deny-list was by-passed six times: printable ASCII that
        // starts with one slash, no empty or dotted segment, no escaped slash, backslash or control
        // character; and the WHATWG parser, which browsers share, must leave it unchanged.
        let is_plain = text.len() <= MAX_BYTES
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && !text.contains(['\\', '#', '<', '>', '"', '`', '{', '}']);
        let mut segments = text.split('?').next()?.strip_prefix('/')?.split('/').peekable();
        let has_good_segments =
            std::iter::from_fn(|| Some((segments.next()?, segments.peek().is_none())))
                .all(|(segment, is_last)| is_segment(segment, is_last));
        // A path that is none of ours belongs to the application around us, or to one behind the proxy.
        let is_page = !matches!(paths::kind_of(path), Some(Kind::Action | Kind::Resource));
        // `.invalid` never exists (RFC 2606), so no text can name it by chance.
        let base = Url::parse("https://here.invalid").ok()?;
        let url = base.join(text).ok()?;
        let is_here = url.origin() == base.origin();
        let is_unchanged = match url.query() {
            Some(query) => format!("{}?{query}", url.path()) == *text,
            None => url.path() == text,
        };
        // Rocket would answer 500 instead of redirecting to what it cannot parse.
        let is_for_rocket = Origin::parse(text).is_ok();
        (is_plain && has_good_segments && is_page && is_here && is_unchanged && is_for_rocket)
            .then(|| Self(text.clone()))
    }

    fn path(&self) -> &str {
        path_of(&self.0)
    }

    /// Returns the path with its query.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns where to redirect after log-in.
pub(crate) fn after_login(next: &str, default: &'static str) -> String {
    // A user who has just logged in would see the log-in page again.
    let is_login_page = |next: &SafeNext| paths::kind_of(next.path()) == Some(Kind::LoginPage);
    let next = SafeNext::parse(next).filter(|next| !is_login_page(next));
    next.map_or_else(|| default.to_owned(), |next| next.0)
}

/// Returns where to redirect after the language was chosen.
pub(crate) fn or_home(next: &str) -> String {
    SafeNext::parse(next).map_or_else(|| paths::HOME.to_owned(), |next| next.0)
}

/// Returns the path without query and without a slash at its end, which names the same page.
fn path_of(text: &str) -> &str {
    let path = text.split('?').next().unwrap_or_default();
    path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path)
}

fn is_segment(segment: &str, is_last: bool) -> bool {
    let lower = segment.to_ascii_lowercase();
    let is_dotted = matches!(lower.replace("%2e", ".").as_str(), "." | "..");
    let hides = ["%2f", "%5c", "%7f"].iter().any(|escape| lower.contains(escape))
        || lower.contains("%0")
        || lower.contains("%1");
    (is_last || !segment.is_empty()) && !is_dotted && !hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_on_this_site_is_kept() {
        for path in [
            "/",
            "/account/mypage",
            "/account/mypage/",
            "/a?b=c&d=%2Fe",
            "/%EA%B2%80%EC%83%89?q=1",
            "/admin/users?q=o%27hara&sort=-email",
            "/a@b",
            "/account/sessions/",
            "/account/activity?before=7",
        ] {
            assert_eq!(SafeNext::parse(path).expect(path).as_str(), path);
        }
    }

    #[test]
    fn a_path_that_is_kept_can_be_redirected_to() {
        use rocket::http::uri::Reference;

        for byte in 0x21_u8..0x7f {
            let char = char::from(byte);
            for text in [
                format!("/{char}x"),
                format!("/x{char}"),
                format!("/x?{char}"),
                format!("/x?y={char}z"),
            ] {
                if let Some(next) = SafeNext::parse(&text) {
                    let kept = Reference::try_from(next.as_str().to_owned());
                    assert!(kept.is_ok(), "{text}: {next:?}");
                }
            }
        }
        for (text, kept) in [
            ("/a|b?c=d|e", "/a%7Cb?c=d%7Ce"),
            ("/a^b?c^", "/a%5Eb?c%5E"),
            ("/a[1]?b[]=c", "/a[1]?b[]=c"),
        ] {
            assert_eq!(SafeNext::parse(text).expect(text).as_str(), kept);
        }
    }

    #[test]
    fn no_next_leads_to_another_site() {
        let long = format!("/{}", "a".repeat(8192));
        for text in [
            "",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "https:evil.example",
            "https://evil.example",
            "/%5cevil.example",
            "/%5Cevil.example",
            "/%09/evil.example",
            "/\t/evil.example",
            "/..//evil.example",
            "/../evil",
            "/./evil",
            "/%2e%2e/evil",
            "/.%2E/evil",
            "@evil.example",
            "evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            " /x",
            "/x ",
            "/x\r\nSet-Cookie: a=b",
            "/x\0",
            "/a//b",
            "/%2f%2fevil.example",
            "/x#y",
            "/가",
            "http:/x",
            "/account/logout",
            "/account/logout/",
            "/language",
            "/account/email/verify",
            "/account/sessions/end-others",
            "/account/social/kakao/callback",
            "/account/sessions/0123456789abcdef0123456789abcdef/end",
            &long,
        ] {
            assert_eq!(SafeNext::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_login_leads_back_to_login_or_signup() {
        for next in
            ["/account/login", "/account/login/", "/account/login?next=/x", "/account/join", ""]
        {
            assert_eq!(after_login(next, "/home"), "/home", "{next:?}");
        }
        assert_eq!(after_login("/admin?q=a", "/home"), "/admin?q=a");
        assert_eq!(or_home("/account/login?next=/x"), "/account/login?next=/x");
        assert_eq!(or_home("/account/logout"), "/");
    }
}

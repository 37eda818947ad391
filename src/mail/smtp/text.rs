//! Texts for a mail server and about it: the greeting, the body as it is sent, and failures for the log.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::transport::smtp::extension::ClientId;
use zeroize::Zeroizing;

use crate::config::{MailServer, PublicUrl};

/// The longest description of a failure, in characters: some servers reply with whole paragraphs.
const MAX_DESCRIPTION: usize = 300;

/// Returns the name by which the site greets the server.
pub(super) fn client_id(public_url: &PublicUrl) -> ClientId {
    let host = public_url.host();
    // A client without a domain name gives an address instead (RFC 5321, 4.1.4).
    if public_url.is_loopback() || host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[')
    {
        return ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST);
    }
    ClientId::Domain(host.to_owned())
}

/// Returns the message as it is sent (RFC 5321, 4.5.2), including the final dot.
pub(super) fn dot_stuffed(message: &[u8]) -> String {
    // All parts are encoded for mail, so the message is ASCII.
    let message = String::from_utf8_lossy(message);
    // A line that is a single dot would end the e-mail, so a dot at the start of a line is doubled.
    let first = if message.starts_with('.') { "." } else { "" };
    // In one piece: lettre would write the end separately, and TCP holds a second small piece back until the
    // first is acknowledged, which servers delay (Nagle's algorithm, 40 milliseconds an e-mail).
    format!("{first}{}\r\n.\r\n", message.replace("\r\n.", "\r\n.."))
}

/// Describes a failure in one line, with the password and the recipients removed, even where the server
/// repeats them.
pub(super) fn describe(server: &MailServer, message: &str, recipients: &[&str]) -> String {
    let mut message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(login) = &server.login {
        let (user, password) = (&login.user, &login.password);
        let plain = Zeroizing::new(format!("\0{user}\0{}", password.as_str()));
        let encoded = |text: &str| Zeroizing::new(BASE64_STANDARD.encode(text));
        // The password as AUTH PLAIN and AUTH LOGIN send it, and as it is.
        for secret in [&encoded(&plain), &encoded(password), password] {
            message = redacted(&message, secret);
        }
    }
    for recipient in recipients {
        message = redacted(&message, recipient);
    }
    let plain = message.chars().filter(|char| !char.is_control()).take(MAX_DESCRIPTION);
    format!("{server}: {}", plain.collect::<String>())
}

/// Replaces every occurrence of a secret by stars, whatever the case of its ASCII letters.
fn redacted(text: &str, secret: &str) -> String {
    let (lower, secret) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut redacted = String::with_capacity(text.len());
    let mut end = 0;
    for (start, found) in lower.match_indices(&secret) {
        redacted.push_str(&text[end..start]);
        redacted.push_str("***");
        end = start + found.len();
    }
    redacted.push_str(&text[end..]);
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_introduces_itself_by_its_public_name() {
        for (url, greeting) in [
            ("https://gate.example", "gate.example"),
            ("https://gate.example:8443", "gate.example"),
            ("http://localhost:8000", "[127.0.0.1]"),
            ("https://192.0.2.1", "[127.0.0.1]"),
            ("https://[2001:db8::1]:8443", "[127.0.0.1]"),
        ] {
            assert_eq!(client_id(&url.parse().expect(url)).to_string(), greeting, "{url}");
        }
    }

    #[test]
    fn a_dot_at_the_beginning_of_a_line_does_not_end_an_email() {
        assert_eq!(dot_stuffed(b"a\r\n.\r\n.b.\r\n"), "a\r\n..\r\n..b.\r\n\r\n.\r\n");
        assert_eq!(dot_stuffed(b".a\r\n\r\n.."), "..a\r\n\r\n...\r\n.\r\n");
    }

    #[test]
    fn secrets_become_stars_whatever_their_case() {
        assert_eq!(redacted("5.1.1 <Ada@X.kr>, ada@x.kr!", "ada@x.KR"), "5.1.1 <***>, ***!");
        assert_eq!(redacted("대문 İ ada", "ada"), "대문 İ ***");
        assert_eq!(redacted("nothing", "ada"), "nothing");
    }
}

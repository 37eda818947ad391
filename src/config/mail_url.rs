//! Where e-mails go: to files, or to a mail server by its URL.
//!
//! Reads the setting only; `mail` connects to the server.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::problem::NotAllowed;
use super::public_url::is_loopback;

/// The port for submission over TLS from the start (RFC 8314, 3.3).
const SUBMISSIONS_PORT: u16 = 465;

/// The port for submission with STARTTLS (RFC 6409, 3.1).
const SUBMISSION_PORT: u16 = 587;

/// Where e-mails go.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum MailUrl {
    /// Files under `data_dir/mail/`.
    #[default]
    File,
    /// A mail server.
    Smtp(MailServer),
}

/// A mail server, and how to connect to it.
#[derive(Clone, PartialEq, Eq)]
pub struct MailServer {
    host: Host,
    /// The port, never 0.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: MailSecurity,
    /// The credentials, if the server needs any.
    pub login: Option<MailLogin>,
}

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailSecurity {
    /// `smtps://`: TLS from the first byte.
    Tls,
    /// `smtp://`: STARTTLS, and a server that does not offer it is refused.
    StartTls,
    /// `smtp://` to this machine: STARTTLS where it is offered.
    StartTlsIfOffered,
    /// `smtp://…?tls=none`: nothing.
    None,
}

/// A name and a password for a mail server.
#[derive(Clone, PartialEq, Eq)]
pub struct MailLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Zeroizing<String>,
}

impl MailServer {
    /// Returns the name or the address of the host, an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::Domain(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    /// Returns whether the server is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Returns whether e-mails can be read on their way.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.security == MailSecurity::None && !self.is_loopback()
    }
}

impl FromStr for MailUrl {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        if text == "file" { Ok(Self::File) } else { text.parse().map(Self::Smtp) }
    }
}

impl FromStr for MailServer {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let url = Url::parse(text).map_err(|_| NotAllowed)?;
        // The host of a scheme that the web does not know is not parsed by `url`; this parses it.
        let host = Host::parse(url.host_str().ok_or(NotAllowed)?).map_err(|_| NotAllowed)?;
        let is_named = match &host {
            Host::Domain(name) => {
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
            }
            Host::Ipv4(_) | Host::Ipv6(_) => true,
        };
        let is_bare = is_named && matches!(url.path(), "" | "/") && url.fragment().is_none();
        if !is_bare || url.port() == Some(0) {
            return Err(NotAllowed);
        }
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (MailSecurity::Tls, SUBMISSIONS_PORT),
            // On this machine no attacker can remove the offer of STARTTLS.
            ("smtp", None) if is_loopback(&host) => {
                (MailSecurity::StartTlsIfOffered, SUBMISSION_PORT)
            }
            ("smtp", None) => (MailSecurity::StartTls, SUBMISSION_PORT),
            ("smtp", Some("tls=none")) => (MailSecurity::None, SUBMISSION_PORT),
            _ => return Err(NotAllowed),
        };
        let login = login(&url)?;
        Ok(Self { host, port: url.port().unwrap_or(port), security, login })
    }
}

/// Reads the name and the password: both or neither.
fn login(url: &Url) -> Result<Option<MailLogin>, NotAllowed> {
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| NotAllowed)?;
        let is_plain = !text.is_empty() && !text.chars().any(char::is_control);
        if is_plain { Ok(text.into_owned()) } else { Err(NotAllowed) }
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) => {
            let password = Zeroizing::new(decoded(password)?);
            Ok(Some(MailLogin { user: decoded(user)?, password }))
        }
        (_, None) => Err(NotAllowed),
    }
}

/// Leaves out the password, and the name too, which is usually an e-mail address.
impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == MailSecurity::Tls { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailServer({self}, {:?})", self.security)
    }
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("file"),
            Self::Smtp(server) => fmt::Debug::fmt(server, f),
        }
    }
}

impl fmt::Debug for MailLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailLogin(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> MailServer {
        text.parse().expect(text)
    }

    #[test]
    fn the_scheme_settles_the_port_and_the_security() {
        for (text, host, port, security) in [
            ("smtps://mail.example", "mail.example", 465, MailSecurity::Tls),
            ("smtp://mail.example/", "mail.example", 587, MailSecurity::StartTls),
            ("smtp://mail.example:25", "mail.example", 25, MailSecurity::StartTls),
            ("smtp://MAIL.example?tls=none", "mail.example", 587, MailSecurity::None),
            ("smtp://localhost:1025", "localhost", 1025, MailSecurity::StartTlsIfOffered),
            ("smtp://127.0.0.1", "127.0.0.1", 587, MailSecurity::StartTlsIfOffered),
            ("smtps://[::1]", "::1", 465, MailSecurity::Tls),
            ("smtp://[2001:db8::1]:2525", "2001:db8::1", 2525, MailSecurity::StartTls),
            ("smtps://메일.한국", "xn--h32bq4v.xn--3e0b707e", 465, MailSecurity::Tls),
        ] {
            let server = server(text);

            assert_eq!((server.host().as_str(), server.port), (host, port), "{text}");
            assert_eq!(server.security, security, "{text}");
        }
    }

    #[test]
    fn a_name_and_a_password_are_decoded() {
        let login = server("smtps://ada%40example.com:p%40ss%2Fw%C3%B6rd%25@mail.example").login;

        let login = login.expect("a login");
        assert_eq!(login.user, "ada@example.com");
        assert_eq!(login.password.as_str(), "p@ss/wörd%");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "files",
            "File",
            "mail.example",
            "http://mail.example",
            "smtp:",
            "smtp://",
            "smtp:mail.example",
            "smtp://:587",
            "smtp://mail example",
            "smtp://mail.example:0",
            "smtp://mail.example:99999",
            "smtp://mail.example/inbox",
            "smtp://mail.example#x",
            "smtp://mail.example?tls=maybe",
            "smtp://mail.example?tls=none&x=y",
            "smtps://mail.example?tls=none",
            "smtp://ada@mail.example",
            "smtp://:secret@mail.example",
            "smtp://ada:@mail.example",
            "smtp://ada:%FF@mail.example",
            "smtp://ada:a%0Ab@mail.example",
            "smtp://a,b",
        ] {
            assert!(text.parse::<MailUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn neither_the_password_nor_the_name_is_shown() {
        let url: MailUrl = "smtp://ada:sesame@mail.example?tls=none".parse().expect("a server");

        let shown = format!("{url:?} {:?}", server("smtp://ada:sesame@mail.example").login);

        assert_eq!(shown, "MailServer(smtp://mail.example:587, None) Some(MailLogin(..))");
    }

    #[test]
    fn only_plain_text_on_the_network_is_exposed() {
        assert!(server("smtp://relay.internal?tls=none").is_exposed());
        assert!(!server("smtp://relay.internal").is_exposed());
        assert!(!server("smtp://localhost?tls=none").is_exposed());
    }
}

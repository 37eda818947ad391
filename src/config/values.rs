//! The types of settings that are more than a number or a text. Those of mail are in `mail.rs`.

use std::fmt;
use std::str::FromStr;

use url::{Host, Origin, Url};

/// The origin under which people reach the site: scheme, host and port, nothing behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    authority: String,
    is_https: bool,
    is_loopback: bool,
}

impl PublicUrl {
    pub(super) fn local(port: u16) -> Self {
        format!("http://localhost:{port}").parse().expect("localhost and a port are an origin")
    }

    /// The origin as browsers write it: `https://accounts.example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Host and port as they stand in a request's `Host`.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The host alone, without the port; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.authority,
        }
    }

    /// Whether cookies can be `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// Whether a request's `Origin` is this one. On a loopback origin the other names of the same
    /// machine count too, so that `http://127.0.0.1:8000` works as well as `http://localhost:8000`:
    /// behind the same port stands the same server.
    #[must_use]
    pub fn is_origin(&self, origin: &str) -> bool {
        origin == self.origin
            || origin.parse::<Self>().is_ok_and(|other| {
                self.is_loopback
                    && other.is_loopback
                    && self.is_https == other.is_https
                    && self.port() == other.port()
            })
    }

    /// Whether a request's `Host` names this origin. The scheme's default port may be written out
    /// (RFC 9110, 4.2.3), and some clients and proxies do.
    #[must_use]
    pub fn is_authority(&self, host: &str) -> bool {
        let default = if self.is_https { ":443" } else { ":80" };
        let has_default_port = self.port().is_none();
        let host = host.strip_suffix(default).filter(|_| has_default_port).unwrap_or(host);
        host.eq_ignore_ascii_case(&self.authority)
    }

    fn port(&self) -> Option<u16> {
        self.authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }
}

/// A text that is not what a setting wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed;

impl FromStr for PublicUrl {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let url = Url::parse(text).map_err(|_| NotAllowed)?;
        let is_bare = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let Origin::Tuple(scheme, host, _) = url.origin() else { return Err(NotAllowed) };
        if !is_bare || !matches!(scheme.as_str(), "http" | "https") {
            return Err(NotAllowed);
        }
        let is_loopback = is_loopback(&host);
        let origin = url.origin().ascii_serialization();
        let authority = origin.split_once("://").map_or("", |(_, rest)| rest).to_owned();
        Ok(Self { origin, authority, is_https: scheme == "https", is_loopback })
    }
}

/// Whether a host is this machine, by any of the names that never lead elsewhere (RFC 6761, 6.3).
pub(super) fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Where the data is: `sqlite://path` or `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file beside the program.
    Sqlite(std::path::PathBuf),
    /// A PostgreSQL server; the URL holds a password.
    Postgres(String),
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite("data/daemun.db".into())
    }
}

impl FromStr for DatabaseUrl {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let is_file =
                !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '#', '\0']);
            return if is_file { Ok(Self::Sqlite(path.into())) } else { Err(NotAllowed) };
        }
        let url = Url::parse(text).map_err(|_| NotAllowed)?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Postgres(text.to_owned())),
            _ => Err(NotAllowed),
        }
    }
}

/// The password is left out.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A URL as it may be shown: what stands between user name and host becomes `***`, and so does the
/// query, in which PostgreSQL takes a password too.
pub(super) fn without_password(text: &str) -> String {
    match Url::parse(text) {
        // A password with a bare `/` or `#` in it ends the host too early; the rest holds its tail.
        Ok(url)
            if url.path().contains('@') || url.fragment().is_some_and(|it| it.contains('@')) =>
        {
            "***".into()
        }
        Ok(mut url) if url.password().is_some() || url.query().is_some() => {
            let is_hidden = url.password().is_none() || url.set_password(Some("***")).is_ok();
            if url.query().is_some() {
                url.set_query(Some("***"));
            }
            if is_hidden { url.into() } else { "***".into() }
        }
        // What cannot be read as a URL may still hold a password.
        Err(_) if text.contains('@') => "***".into(),
        _ => text.to_owned(),
    }
}

/// Whether a URL holds a password, in its usual place or in the query. One that is misread for a bare
/// `/` or `#` in its password has its `@` too late.
pub(super) fn has_password(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.password().is_some()
            || url.query_pairs().any(|(name, _)| name == "password")
            || url.path().contains('@')
            || url.fragment().is_some_and(|it| it.contains('@'))
    })
}

/// A setting that takes one of a few words.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl FromStr for $name {
            type Err = NotAllowed;

            fn from_str(text: &str) -> Result<Self, NotAllowed> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(NotAllowed) }
            }
        }
    };
}

choice! {
    /// Whether and when people must prove that their address is theirs.
    EmailVerification {
        /// Never.
        None = "none",
        /// They are reminded.
        #[default]
        Optional = "optional",
        /// Nobody is let in before.
        Mandatory = "mandatory",
    }
}

choice! {
    /// Whether strangers may join.
    SignupMode {
        /// They may.
        #[default]
        Open = "open",
        /// Only an administrator makes accounts.
        Closed = "closed",
    }
}

choice! {
    /// How log lines are written.
    LogFormat {
        /// For people.
        #[default]
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

choice! {
    /// Which log lines are written; Rocket's own setting.
    LogLevel {
        /// None.
        Off = "off",
        /// What is broken.
        Critical = "critical",
        /// One line per outcome.
        #[default]
        Normal = "normal",
        /// Everything; of Rocket nothing, for it would print cookies.
        Debug = "debug",
    }
}

/// What access tokens may say of a person beyond who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomClaim {
    /// The address.
    Email,
    /// The name.
    Name,
    /// Whether the person is staff.
    IsStaff,
    /// The names of the person's groups.
    Groups,
}

impl CustomClaim {
    /// The claim's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Name => "name",
            Self::IsStaff => "is_staff",
            Self::Groups => "groups",
        }
    }
}

impl FromStr for CustomClaim {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        [Self::Email, Self::Name, Self::IsStaff, Self::Groups]
            .into_iter()
            .find(|claim| claim.as_str() == text)
            .ok_or(NotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_and_nothing_more() {
        let url: PublicUrl = "https://Accounts.Example.com:443/".parse().expect("an origin");
        assert_eq!(url.as_str(), "https://accounts.example.com");
        assert_eq!(url.authority(), "accounts.example.com");

        for text in [
            "",
            "accounts.example.com",
            "ftp://x",
            "https://x/path",
            "https://x/?q",
            "https://u:p@x",
            "https://",
        ] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_names_of_this_machine_are_one_origin_on_one_port() {
        let url: PublicUrl = "http://localhost:8000".parse().expect("an origin");

        assert!(url.is_origin("http://localhost:8000"));
        assert!(url.is_origin("http://127.0.0.1:8000"));
        assert!(url.is_origin("http://[::1]:8000"));
        for other in [
            "null",
            "",
            "http://localhost",
            "http://localhost:8001",
            "https://localhost:8000",
            "http://evil.example:8000",
            "http://localhost.evil.example:8000",
        ] {
            assert!(!url.is_origin(other), "{other:?}");
        }
    }

    #[test]
    fn the_default_port_may_be_written_out() {
        let is = |url: &str, host| url.parse::<PublicUrl>().expect("an origin").is_authority(host);

        assert!(is("https://gate.example", "gate.example:443"));
        assert!(is("https://gate.example", "Gate.Example:443"));
        assert!(is("http://gate.example", "gate.example:80"));
        assert!(is("https://[2001:db8::1]", "[2001:db8::1]:443"));
        assert!(is("https://gate.example:8443", "gate.example:8443"));
        for host in
            ["gate.example:80", "gate.example:", "gate.example:0443", "gate.example:443:443", ""]
        {
            assert!(!is("https://gate.example", host), "{host:?}");
        }
        assert!(!is("https://gate.example:8443", "gate.example"));
        assert!(!is("https://gate.example:8443", "gate.example:443"));
        assert!(!is("https://gate.example:8443", "gate.example:8443:443"));
    }

    #[test]
    fn a_site_on_the_internet_has_one_origin() {
        let url: PublicUrl = "https://gate.example".parse().expect("an origin");

        assert!(url.is_origin("https://gate.example"));
        assert!(!url.is_origin("http://gate.example"));
        assert!(!url.is_origin("https://gate.example.evil.example"));
        assert!(!url.is_origin("https://localhost"));
    }

    #[test]
    fn passwords_are_not_shown() {
        let url: DatabaseUrl = "postgres://ada:open%20sesame@db/x".parse().expect("a database");
        assert_eq!(url.to_string(), "postgres://ada:***@db/x");
        assert_eq!(format!("{url:?}"), "postgres://ada:***@db/x");

        assert_eq!(without_password("postgres//ada:sesame@db"), "***");
        assert_eq!(without_password("postgres://db/x?password=sesame"), "postgres://db/x?***");
        assert_eq!(without_password("smtp://ada:open@ses/ame@mail.example"), "***");
        assert_eq!(without_password("smtp://ada:12#sesame@mail.example"), "***");
    }
}

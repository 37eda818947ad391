//! Handing e-mails to a mail server (RFC 5321), over connections that are kept for a while: as many as
//! there are e-mails at once.
//!
//! The conversation is led step by step and not by lettre's own transport, because what a refusal
//! means depends on the step, and because there each step is waited for without end.

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::{SendError, Timeouts};
use crate::config::{MailSecurity, MailServer, PublicUrl};

/// How long a connection is kept for the next e-mail. Servers hang up after minutes; an e-mail that
/// comes later than this opens another.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Replies by which a server says that this e-mail is not to be tried again (RFC 5321, 4.2.2):
/// a parameter is wrong, no such mailbox, not a local one, too large, a name not allowed, an address
/// with parameters that are not known, no mail for this domain (RFC 7504).
const FINAL: [u16; 7] = [501, 550, 551, 552, 553, 555, 556];

/// Replies that are about us and not about an e-mail: closing, log in first, wrong password, TLS first.
const ABOUT_US: [u16; 5] = [421, 530, 534, 535, 538];

/// A reply's own words for "the sender is not allowed" (RFC 3463, 3.2).
const ABOUT_THE_SENDER: [&str; 2] = ["5.1.7", "5.1.8"];

/// The longest reason, in characters: servers answer with whole paragraphs.
const MAX_REASON: usize = 300;

/// A mail server.
pub(super) struct Server {
    at: MailServer,
    hello: ClientId,
    tls: Option<TlsParameters>,
    timeouts: Timeouts,
    /// The last one that was used stands last.
    kept: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Server {
    /// A server that is greeted in the name of the site.
    pub(super) fn new(
        server: &MailServer,
        public_url: &PublicUrl,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        let tls = match server.security {
            MailSecurity::None => None,
            _ => Some(TlsParameters::new(server.host())?),
        };
        let at = server.clone();
        Ok(Self { at, hello: hello(public_url), tls, timeouts, kept: Mutex::default() })
    }

    pub(super) fn with_timeouts(&self, timeouts: Timeouts) -> Self {
        Self {
            at: self.at.clone(),
            hello: self.hello.clone(),
            tls: self.tls.clone(),
            timeouts,
            kept: Mutex::default(),
        }
    }

    /// Hands an e-mail over.
    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        self.bounded(Box::pin(async {
            let mut connection = match self.kept().await {
                Some(connection) => connection,
                None => self.connected().await?,
            };
            self.hand_over(&mut connection, message).await?;
            self.place().push((connection, Instant::now()));
            Ok(())
        }))
        .await
    }

    /// Connects, logs in and takes leave.
    pub(super) async fn test(&self) -> Result<(), SendError> {
        self.bounded(Box::pin(async {
            let mut connection = self.connected().await?;
            // Whoever let us in need not be polite when we leave.
            let _ = self.answer("QUIT", connection.quit()).await;
            Ok(())
        }))
        .await
    }

    /// A connection that was kept, if one still answers.
    async fn kept(&self) -> Option<AsyncSmtpConnection> {
        let mut connection = {
            let mut kept = self.place();
            kept.retain(|(_, since)| since.elapsed() < KEPT_FOR);
            kept.pop()?.0
        };
        let answers = timeout(self.timeouts.reply, connection.test_connected()).await;
        if answers.unwrap_or(false) {
            return Some(connection);
        }
        // A server that hung up on one has hung up on those that were idle for longer.
        self.place().clear();
        None
    }

    /// A connection on which e-mails may be handed over. A step that is cut off drops it: whatever
    /// was being said on it, nobody goes on with it. Whatever goes wrong before there is an e-mail
    /// stands in the way of every e-mail.
    async fn connected(&self) -> Result<AsyncSmtpConnection, SendError> {
        let away = |no: NoAnswer| SendError::Unreachable(self.reason(&no.what, &[]));
        let host = self.at.host();
        let from_the_start = match self.at.security {
            MailSecurity::Tls => self.tls.clone(),
            _ => None,
        };
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), self.at.port),
            None,
            &self.hello,
            from_the_start,
            None,
        );
        let mut connection = self.answer("connecting", connecting).await.map_err(away)?;
        match (self.at.security, &self.tls) {
            (MailSecurity::StartTls, _) if !connection.can_starttls() => {
                let why = self.reason("the server offers no STARTTLS", &[]);
                return Err(SendError::Unreachable(why));
            }
            (MailSecurity::StartTls | MailSecurity::StartTlsIfOffered, Some(tls))
                if connection.can_starttls() =>
            {
                let upgrading = connection.starttls(tls.clone(), &self.hello);
                self.answer("STARTTLS", upgrading).await.map_err(away)?;
            }
            _ => {}
        }
        if let Some(login) = &self.at.login {
            let password = login.password.as_str().to_owned();
            let credentials = Credentials::new(login.user.clone(), password);
            let logging_in = connection.auth(DEFAULT_MECHANISMS, &credentials);
            self.answer("logging in", logging_in).await.map_err(away)?;
        }
        Ok(connection)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<(), SendError> {
        let envelope = message.envelope();
        // Servers repeat addresses in their replies, and reasons are logged.
        let people: Vec<&str> = envelope.to().iter().map(AsRef::as_ref).collect();
        let verdict = |no: NoAnswer| {
            let why = self.reason(&no.what, &people);
            match no.code {
                Some(code) if ABOUT_US.contains(&code) => SendError::Unreachable(why),
                Some(code) if FINAL.contains(&code) => SendError::Permanent(why),
                Some(_) => SendError::Transient(why),
                None => SendError::Unreachable(why),
            }
        };
        let mail = Mail::new(envelope.from().cloned(), Vec::new());
        // Who does not want the site's own address wants none of its e-mails.
        let mail = self.answer("MAIL FROM", connection.command(mail)).await;
        mail.map_err(|no| verdict(NoAnswer { code: None, ..no }))?;
        for to in envelope.to() {
            let rcpt = Rcpt::new(to.clone(), Vec::new());
            self.answer("RCPT TO", connection.command(rcpt)).await.map_err(verdict)?;
        }
        self.answer("DATA", connection.command(Data)).await.map_err(verdict)?;
        let content = dotted(&message.formatted());
        self.answer("the e-mail", connection.command(content)).await.map_err(verdict)?;
        Ok(())
    }

    /// Waits for the answer to one step, not for ever.
    async fn answer<T>(
        &self,
        step: &'static str,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, NoAnswer> {
        match timeout(self.timeouts.reply, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(NoAnswer::of(step, &error)),
            Err(_) => Err(NoAnswer { code: None, what: format!("{step}: no answer in time") }),
        }
    }

    /// Waits for a whole e-mail, not for ever. What is waited for is large, TLS and all, and stands
    /// apart, so that not everybody who calls it is as large.
    async fn bounded(
        &self,
        content: impl Future<Output = Result<(), SendError>>,
    ) -> Result<(), SendError> {
        match timeout(self.timeouts.whole, content).await {
            Ok(done) => done,
            Err(_) => Err(SendError::Unreachable(self.reason("the e-mail took too long", &[]))),
        }
    }

    /// One line about this server in which no password and nobody's address stands, not even if the
    /// server repeats it.
    fn reason(&self, what: &str, people: &[&str]) -> String {
        let mut what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(login) = &self.at.login {
            let (user, password) = (&login.user, &login.password);
            let plain = Zeroizing::new(format!("\0{user}\0{}", password.as_str()));
            let coded = |text: &str| Zeroizing::new(BASE64_STANDARD.encode(text));
            for secret in [&coded(&plain), &coded(password), password] {
                what = without(&what, secret);
            }
        }
        for user in people {
            what = without(&what, user);
        }
        let plain = what.chars().filter(|char| !char.is_control()).take(MAX_REASON);
        format!("{}: {}", self.at, plain.collect::<String>())
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step that the server did not go along with.
struct NoAnswer {
    /// What it replied, if that may be about the e-mail.
    code: Option<u16>,
    /// The step and what became of it, as it came: nothing is taken out yet.
    what: String,
}

impl NoAnswer {
    fn of(step: &str, error: &Error) -> Self {
        let Some(code) = error.status().map(u16::from) else {
            return Self { code: None, what: format!("{step}: {}", with_sources(error)) };
        };
        let said = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let is_about_the_sender = ABOUT_THE_SENDER.iter().any(|code| said.starts_with(code));
        let what = format!("{step}: {code} {said}");
        Self { code: Some(code).filter(|_| !is_about_the_sender), what }
    }
}

/// An e-mail as it goes over the wire (RFC 5321, 4.5.2), its end included. In one piece: lettre would
/// write the end apart, and TCP holds a second small piece back until the first is acknowledged, for
/// which servers take their time (Nagle's algorithm, 40 milliseconds an e-mail).
fn dotted(content: &[u8]) -> String {
    // Both parts are encoded for mail, so nothing in an e-mail is beyond ASCII.
    let content = String::from_utf8_lossy(content);
    let first = if content.starts_with('.') { "." } else { "" };
    format!("{first}{}\r\n.\r\n", content.replace("\r\n.", "\r\n.."))
}

/// The text with stars for every secret in it, in capitals or not.
fn without(text: &str, secret: &str) -> String {
    let (lower, secret) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut plain = String::with_capacity(text.len());
    let mut end = 0;
    for (start, found) in lower.match_indices(&secret) {
        plain.push_str(&text[end..start]);
        plain.push_str("***");
        end = start + found.len();
    }
    plain.push_str(&text[end..]);
    plain
}

/// What an error says, and what it is due to where it does not say so itself.
fn with_sources(error: &Error) -> String {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        source = error.source();
    }
    said
}

/// How the site introduces itself: by the name that it has in the world. Without one it gives the
/// address of the machine to itself (RFC 5321, 4.1.4).
fn hello(public_url: &PublicUrl) -> ClientId {
    let host = public_url.host();
    if public_url.is_loopback() || host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[')
    {
        return ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST);
    }
    ClientId::Domain(host.to_owned())
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.at, f)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_introduces_itself_by_its_name_in_the_world() {
        for (url, greeting) in [
            ("https://gate.example", "gate.example"),
            ("https://gate.example:8443", "gate.example"),
            ("http://localhost:8000", "[127.0.0.1]"),
            ("https://192.0.2.1", "[127.0.0.1]"),
            ("https://[2001:db8::1]:8443", "[127.0.0.1]"),
        ] {
            assert_eq!(hello(&url.parse().expect(url)).to_string(), greeting, "{url}");
        }
    }

    #[test]
    fn a_dot_at_the_beginning_of_a_line_does_not_end_an_email() {
        assert_eq!(dotted(b"a\r\n.\r\n.b.\r\n"), "a\r\n..\r\n..b.\r\n\r\n.\r\n");
        assert_eq!(dotted(b".a\r\n\r\n.."), "..a\r\n\r\n...\r\n.\r\n");
    }

    #[test]
    fn secrets_become_stars_in_capitals_or_not() {
        assert_eq!(without("5.1.1 <Ada@X.kr>, ada@x.kr!", "ada@x.KR"), "5.1.1 <***>, ***!");
        assert_eq!(without("대문 İ ada", "ada"), "대문 İ ***");
        assert_eq!(without("nothing", "ada"), "nothing");
    }
}

//! Handing letters to a mail server (RFC 5321), over one connection that is kept for a while.
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

use super::{Patience, SendError};
use crate::config::{MailSecurity, MailServer, PublicUrl};

/// How long a connection is kept for the next letter. Servers hang up after minutes; a letter that
/// comes later than this opens another.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Replies by which a server says that this letter is not to be tried again (RFC 5321, 4.2.2):
/// a parameter is wrong, no such mailbox, not a local one, too large, a name not allowed, an address
/// with parameters that are not known, no mail for this domain (RFC 7504).
const FINAL: [u16; 7] = [501, 550, 551, 552, 553, 555, 556];

/// Replies that are about us and not about a letter: closing, log in first, wrong password, TLS first.
const ABOUT_US: [u16; 5] = [421, 530, 534, 535, 538];

/// A reply's own words for "the sender is not allowed" (RFC 3463, 3.2).
const ABOUT_THE_SENDER: [&str; 2] = ["5.1.7", "5.1.8"];

/// The longest reason, in characters: servers answer with whole paragraphs.
const MAX_REASON: usize = 300;

/// A mail server.
pub(super) struct Server {
    server: MailServer,
    hello: ClientId,
    tls: Option<TlsParameters>,
    patience: Patience,
    kept: Mutex<Option<(AsyncSmtpConnection, Instant)>>,
}

impl Server {
    /// A server that is greeted in the name of the site.
    pub(super) fn new(
        server: &MailServer,
        public_url: &PublicUrl,
        patience: Patience,
    ) -> Result<Self, Error> {
        let tls = match server.security {
            MailSecurity::None => None,
            _ => Some(TlsParameters::new(server.host())?),
        };
        let server = server.clone();
        Ok(Self { server, hello: hello(public_url), tls, patience, kept: Mutex::default() })
    }

    pub(super) fn with_patience(&self, patience: Patience) -> Self {
        Self {
            server: self.server.clone(),
            hello: self.hello.clone(),
            tls: self.tls.clone(),
            patience,
            kept: Mutex::default(),
        }
    }

    /// Hands a letter over.
    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        self.bounded(async {
            let mut connection = match self.kept().await {
                Some(connection) => connection,
                None => self.connected().await?,
            };
            self.hand_over(&mut connection, message).await?;
            *self.place() = Some((connection, Instant::now()));
            Ok(())
        })
        .await
    }

    /// Connects, logs in and takes leave.
    pub(super) async fn test(&self) -> Result<(), SendError> {
        self.bounded(async {
            let mut connection = self.connected().await?;
            // Whoever let us in need not be polite when we leave.
            let _ = self.answer("QUIT", connection.quit()).await;
            Ok(())
        })
        .await
    }

    /// The connection that was kept, if it still answers.
    async fn kept(&self) -> Option<AsyncSmtpConnection> {
        let (mut connection, since) = self.place().take()?;
        let is_fresh = since.elapsed() < KEPT_FOR;
        let answers = is_fresh
            && timeout(self.patience.answer, connection.test_connected()).await.unwrap_or(false);
        answers.then_some(connection)
    }

    /// A connection on which letters may be handed over. A step that is cut off drops it: whatever
    /// was being said on it, nobody goes on with it.
    async fn connected(&self) -> Result<AsyncSmtpConnection, SendError> {
        let host = self.server.host();
        let tls = self.tls.clone();
        let from_the_start = tls.clone().filter(|_| self.server.security == MailSecurity::Tls);
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), self.server.port),
            None,
            &self.hello,
            from_the_start,
            None,
        );
        let mut connection = self.answer("connecting", connecting).await.map_err(away)?;
        let offers_tls = connection.can_starttls();
        match (self.server.security, tls) {
            (MailSecurity::StartTls, _) if !offers_tls => {
                let why = format!("{}: the server offers no STARTTLS", self.server);
                return Err(SendError::Unreachable(why));
            }
            (MailSecurity::StartTls | MailSecurity::StartTlsIfOffered, Some(tls)) if offers_tls => {
                self.answer("STARTTLS", connection.starttls(tls, &self.hello))
                    .await
                    .map_err(away)?;
            }
            _ => {}
        }
        if let Some(login) = &self.server.login {
            let credentials =
                Credentials::new(login.user.clone(), login.password.as_str().to_owned());
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
        let mail = Mail::new(envelope.from().cloned(), Vec::new());
        // Who does not want the site's own address wants none of its letters.
        self.answer("MAIL FROM", connection.command(mail)).await.map_err(away)?;
        for to in envelope.to() {
            let rcpt = Rcpt::new(to.clone(), Vec::new());
            self.answer("RCPT TO", connection.command(rcpt)).await.map_err(verdict)?;
        }
        self.answer("DATA", connection.command(Data)).await.map_err(verdict)?;
        let letter = message.formatted();
        self.answer("the letter", connection.message(&letter)).await.map_err(verdict)?;
        Ok(())
    }

    /// Waits for the answer to one step, not for ever.
    async fn answer<T>(
        &self,
        step: &'static str,
        asking: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, NoAnswer> {
        let why = |what: &str| self.reason(&format!("{step}: {what}"));
        match timeout(self.patience.answer, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => match error.status() {
                Some(code) => {
                    let said = std::error::Error::source(&error).map(ToString::to_string);
                    let said = said.unwrap_or_default();
                    let is_about_the_sender =
                        ABOUT_THE_SENDER.iter().any(|code| said.starts_with(code));
                    let code = u16::from(code);
                    Err(NoAnswer {
                        code: Some(code).filter(|_| !is_about_the_sender),
                        why: why(&format!("{code} {said}")),
                    })
                }
                None => Err(NoAnswer { code: None, why: why(&with_sources(&error)) }),
            },
            Err(_) => Err(NoAnswer { code: None, why: why("no answer in time") }),
        }
    }

    /// Waits for a whole letter, not for ever.
    async fn bounded(
        &self,
        letter: impl Future<Output = Result<(), SendError>>,
    ) -> Result<(), SendError> {
        match timeout(self.patience.letter, letter).await {
            Ok(done) => done,
            Err(_) => Err(SendError::Unreachable(self.reason("the letter took too long"))),
        }
    }

    /// One line about this server in which no password stands, not even if the server repeats it.
    fn reason(&self, what: &str) -> String {
        let mut what = what.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(login) = &self.server.login {
            let (user, password) = (&login.user, &login.password);
            let plain = Zeroizing::new(format!("\0{user}\0{}", password.as_str()));
            let coded = |text: &str| Zeroizing::new(BASE64_STANDARD.encode(text));
            for secret in [coded(&plain), coded(password), password.clone()] {
                what = what.replace(secret.as_str(), "***");
            }
        }
        let what: String =
            what.chars().filter(|char| !char.is_control()).take(MAX_REASON).collect();
        format!("{}: {what}", self.server)
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<(AsyncSmtpConnection, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A step that the server did not go along with.
struct NoAnswer {
    /// What it replied, if that is about the letter.
    code: Option<u16>,
    why: String,
}

/// Whatever goes wrong before there is a letter stands in the way of every letter.
fn away(no: NoAnswer) -> SendError {
    SendError::Unreachable(no.why)
}

/// What a refusal of this letter means.
fn verdict(no: NoAnswer) -> SendError {
    match no.code {
        Some(code) if ABOUT_US.contains(&code) => SendError::Unreachable(no.why),
        Some(code) if FINAL.contains(&code) => SendError::Refused(no.why),
        Some(_) => SendError::NotNow(no.why),
        None => SendError::Unreachable(no.why),
    }
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
        fmt::Display::fmt(&self.server, f)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.server)
    }
}

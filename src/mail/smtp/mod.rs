//! Sends e-mails to a mail server (RFC 5321) over connections that are kept open for a while, one per
//! e-mail that is being sent.
//!
//! Runs the protocol step by step rather than by lettre's own transport: what a refusal means depends on
//! the step, and lettre's transport waits for each reply without a limit (docs/decisions/0010). Never
//! tries again.

mod failure;
mod text;

use std::fmt;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::{Instant, timeout};

use self::failure::StepFailure;
use self::text::{client_id, describe, dot_stuffed};
use super::{SendError, Timeouts};
use crate::config::{MailSecurity, MailServer, PublicUrl};

/// How long an idle connection is kept for the next e-mail. Servers close connections after minutes, and an
/// e-mail that comes later opens another one.
const KEEP_IDLE: Duration = Duration::from_secs(30);

/// A mail server and the open connections to it.
pub(super) struct SmtpServer {
    server: MailServer,
    client_id: ClientId,
    tls: Option<TlsParameters>,
    timeouts: Timeouts,
    /// Connections that are not in use, and since when; the most recently used is last.
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl SmtpServer {
    pub(super) fn new(
        server: &MailServer,
        public_url: &PublicUrl,
        timeouts: Timeouts,
    ) -> Result<Self, Error> {
        let tls = match server.security {
            MailSecurity::None => None,
            _ => Some(TlsParameters::new(server.host())?),
        };
        let (server, client_id) = (server.clone(), client_id(public_url));
        Ok(Self { server, client_id, tls, timeouts, idle: Mutex::default() })
    }

    #[cfg(feature = "testing")]
    pub(super) fn with_timeouts(&self, timeouts: Timeouts) -> Self {
        Self {
            server: self.server.clone(),
            client_id: self.client_id.clone(),
            tls: self.tls.clone(),
            timeouts,
            idle: Mutex::default(),
        }
    }

    /// Sends a message.
    pub(super) async fn send(&self, message: &Message) -> Result<(), SendError> {
        self.bounded(Box::pin(async {
            let mut connection = match self.take_idle().await {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            self.transmit(&mut connection, message).await?;
            // Only after a success: a connection that failed may be in the middle of an e-mail.
            self.idle_connections().push((connection, Instant::now()));
            Ok(())
        }))
        .await
    }

    /// Connects, logs in and disconnects.
    pub(super) async fn test(&self) -> Result<(), SendError> {
        self.bounded(Box::pin(async {
            let mut connection = self.connect().await?;
            // The server has let us log in; how it answers a QUIT says nothing more.
            let _ = self.step("QUIT", connection.quit()).await;
            Ok(())
        }))
        .await
    }

    /// Takes an idle connection, if one still answers.
    async fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        let mut connection = {
            let mut idle = self.idle_connections();
            idle.retain(|(_, since)| since.elapsed() < KEEP_IDLE);
            idle.pop()?.0
        };
        let answers = timeout(self.timeouts.reply, connection.test_connected()).await;
        if answers.unwrap_or(false) {
            return Some(connection);
        }
        // A server that has closed this one has closed those that were idle for longer.
        self.idle_connections().clear();
        None
    }

    /// Opens a connection on which messages can be sent.
    async fn connect(&self) -> Result<AsyncSmtpConnection, SendError> {
        // A failure here concerns every e-mail, whatever the code of the reply.
        let unreachable =
            |failure: StepFailure| SendError::Unreachable(self.describe(&failure.message, &[]));
        let host = self.server.host();
        let tls_from_the_start = match self.server.security {
            MailSecurity::Tls => self.tls.clone(),
            _ => None,
        };
        let connecting = AsyncSmtpConnection::connect_tokio1(
            (host.as_str(), self.server.port),
            None,
            &self.client_id,
            tls_from_the_start,
            None,
        );
        let mut connection = self.step("connecting", connecting).await.map_err(unreachable)?;
        match (self.server.security, &self.tls) {
            // An attacker who can read the connection can also remove the offer, so it is insisted on.
            (MailSecurity::StartTls, _) if !connection.can_starttls() => {
                let reason = self.describe("the server offers no STARTTLS", &[]);
                return Err(SendError::Unreachable(reason));
            }
            (MailSecurity::StartTls | MailSecurity::StartTlsIfOffered, Some(tls))
                if connection.can_starttls() =>
            {
                let upgrading = connection.starttls(tls.clone(), &self.client_id);
                self.step("STARTTLS", upgrading).await.map_err(unreachable)?;
            }
            _ => {}
        }
        if let Some(login) = &self.server.login {
            let password = login.password.as_str().to_owned();
            let credentials = Credentials::new(login.user.clone(), password);
            let logging_in = connection.auth(DEFAULT_MECHANISMS, &credentials);
            self.step("logging in", logging_in).await.map_err(unreachable)?;
        }
        Ok(connection)
    }

    async fn transmit(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &Message,
    ) -> Result<(), SendError> {
        let envelope = message.envelope();
        // Servers repeat addresses in their replies, and replies are logged.
        let recipients: Vec<&str> = envelope.to().iter().map(AsRef::as_ref).collect();
        let failed = |failure: StepFailure| {
            let reason = self.describe(&failure.message, &recipients);
            failure.into_send_error(reason)
        };
        let mail = Mail::new(envelope.from().cloned(), Vec::new());
        // A server that refuses the site's own address refuses every e-mail, whatever its code says.
        let mail = self.step("MAIL FROM", connection.command(mail)).await;
        mail.map_err(|failure| failed(StepFailure { code: None, ..failure }))?;
        for to in envelope.to() {
            let rcpt = Rcpt::new(to.clone(), Vec::new());
            self.step("RCPT TO", connection.command(rcpt)).await.map_err(failed)?;
        }
        self.step("DATA", connection.command(Data)).await.map_err(failed)?;
        let body = dot_stuffed(&message.formatted());
        self.step("the e-mail", connection.command(body)).await.map_err(failed)?;
        Ok(())
    }

    /// Waits for the reply to one step, with a time-out. After a failed step, drop the connection: it may
    /// be in any state.
    async fn step<T>(
        &self,
        name: &'static str,
        running: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, StepFailure> {
        match timeout(self.timeouts.reply, running).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(error)) => Err(StepFailure::new(name, &error)),
            Err(_) => {
                let message = format!("{name}: no answer in time");
                Err(StepFailure { code: None, message })
            }
        }
    }

    /// Waits for a whole e-mail, with a time-out. Callers box the future: with TLS it is large, and every
    /// future that contains it would be as large.
    async fn bounded(
        &self,
        sending: impl Future<Output = Result<(), SendError>>,
    ) -> Result<(), SendError> {
        match timeout(self.timeouts.whole, sending).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let reason = self.describe("the e-mail took too long", &[]);
                Err(SendError::Unreachable(reason))
            }
        }
    }

    fn describe(&self, message: &str, recipients: &[&str]) -> String {
        describe(&self.server, message, recipients)
    }

    fn idle_connections(&self) -> MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.server, f)
    }
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpServer({})", self.server)
    }
}

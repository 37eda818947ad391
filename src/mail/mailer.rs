//! Whoever takes e-mails away: a mail server, or a folder where there is none.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use thiserror::Error;
use time::OffsetDateTime;

use super::folder::Folder;
use super::smtp::Server;
use super::{EmailContent, Envelope, RenderedEmail, mime};
use crate::config::{MailUrl, Settings};

/// Takes e-mails away. Cheap to clone; clones share its connections.
#[derive(Debug, Clone)]
pub struct Mailer {
    public_url: Arc<str>,
    from: Mailbox,
    transport: Transport,
}

#[derive(Debug, Clone)]
enum Transport {
    Folder(Folder),
    Server(Arc<Server>),
}

/// Why there is no mailer.
#[derive(Debug, Error)]
pub enum MailerError {
    /// The address of `mail_from` is none that mail servers take.
    #[error("mail_from is no address for e-mails")]
    From,
    /// TLS cannot be set up.
    #[error("TLS for mail: {0}")]
    Tls(String),
}

/// Why an e-mail did not go out, in one line that holds no password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// The server does not take this e-mail, now or ever.
    #[error("{0}")]
    Permanent(String),
    /// The server does not take this e-mail now; it may take another.
    #[error("{0}")]
    Transient(String),
    /// The server takes no e-mail now, whichever.
    #[error("{0}")]
    Unreachable(String),
}

/// How long a mail server is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For an answer. Servers that make strangers wait do so for 5 to 15 seconds.
    pub reply: Duration,
    /// For a whole e-mail, the connection included.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { reply: Duration::from_secs(20), whole: Duration::from_mins(1) }
    }
}

impl Mailer {
    /// The mailer of these settings. Nothing is connected to and nothing is made yet.
    ///
    /// # Errors
    /// [`MailerError`] says what cannot be used.
    pub fn open(settings: &Settings) -> Result<Self, MailerError> {
        let from = &settings.mail_from;
        let address = mime::address(&from.email).map_err(|_| MailerError::From)?;
        let transport = match &settings.mail_url {
            MailUrl::File => Transport::Folder(Folder::new(settings.data_dir.join("mail"))),
            MailUrl::Smtp(server) => {
                let server = Server::new(server, &settings.public_url, Timeouts::default());
                Transport::Server(Arc::new(
                    server.map_err(|error| MailerError::Tls(error.to_string()))?,
                ))
            }
        };
        let from = Mailbox::new(from.name.clone(), address);
        Ok(Self { public_url: settings.public_url.as_str().into(), from, transport })
    }

    /// The same mailer with another timeouts, and with a connection of its own.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        let transport = match self.transport {
            Transport::Server(server) => {
                Transport::Server(Arc::new(server.with_timeouts(timeouts)))
            }
            transport @ Transport::Folder(_) => transport,
        };
        Self { transport, ..self }
    }

    /// Writes an e-mail and takes it away. When this returns, the server answers for it, or it is a
    /// whole file.
    ///
    /// # Errors
    /// [`SendError`] says whether to try again. After [`SendError::Unreachable`] the e-mail may have
    /// arrived all the same: the answer of the server can be what was lost.
    pub async fn send(
        &self,
        envelope: &Envelope<'_>,
        content: &EmailContent,
    ) -> Result<(), SendError> {
        let written = RenderedEmail::new(content, envelope.language, &self.public_url, envelope.to);
        let message = mime::message(envelope, &self.from, written)
            .map_err(|error| SendError::Permanent(error.to_string()))?;
        match &self.transport {
            Transport::Folder(folder) => {
                let bytes = message.formatted();
                folder.put(envelope.written_at, envelope.id, bytes).await.map_err(|error| {
                    SendError::Unreachable(format!("{}: {error}", folder.path().display()))
                })
            }
            Transport::Server(server) => server.send(&message).await,
        }
    }

    /// Tries whether e-mails could be sent: connects, does TLS and logs in, or makes the folder.
    ///
    /// # Errors
    /// [`SendError::Unreachable`] says why not.
    pub async fn test(&self) -> Result<(), SendError> {
        match &self.transport {
            Transport::Folder(folder) => folder.make().await.map_err(|error| {
                SendError::Unreachable(format!("{}: {error}", folder.path().display()))
            }),
            Transport::Server(server) => server.test().await,
        }
    }

    /// Where e-mails go: a server without its password, or a folder.
    #[must_use]
    pub fn destination(&self) -> String {
        match &self.transport {
            Transport::Folder(folder) => folder.path().display().to_string(),
            Transport::Server(server) => server.to_string(),
        }
    }

    /// Deletes e-mails from the folder that were written before an instant, at most 1,000 of them,
    /// and tells how many. A mail server keeps none.
    ///
    /// # Errors
    /// What the system says.
    pub async fn sweep(&self, before: OffsetDateTime) -> std::io::Result<usize> {
        match &self.transport {
            Transport::Folder(folder) => folder.sweep(before).await,
            Transport::Server(_) => Ok(0),
        }
    }
}

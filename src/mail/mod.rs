//! E-mails: rendering them in the recipient's language, and handing them to a mail server or a folder.
//!
//! Knows no accounts and no database: it is given an address, a language and the content. `outbox` and
//! `flows::system::email_delivery` decide when an e-mail is sent, and when it is tried again.

mod content;
mod folder;
mod kind;
mod mailer;
mod mime;
mod rendered;
mod smtp;
mod template_data;
mod texts;

pub use content::EmailContent;
pub use kind::EmailKind;
pub use mailer::{Mailer, MailerError, SendError, Timeouts};
pub use mime::Envelope;
pub use rendered::RenderedEmail;
pub use template_data::TemplateData;

//! Turns a rendered e-mail into a message that mail programs understand (RFC 5322 and MIME).
//!
//! The same e-mail in the same envelope is the same message, byte for byte, so that an e-mail that was sent
//! twice can be recognised. Knows nothing of how a message is delivered.

use std::time::SystemTime;

use lettre::address::AddressError;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use thiserror::Error;
use time::OffsetDateTime;

use super::RenderedEmail;
use crate::i18n::Language;
use crate::types::Email;

/// Longest id in a boundary. A boundary has at most 70 characters (RFC 2046, 5.1.1), with "=_" in front.
const MAX_BOUNDARY: usize = 68;

/// What is known about an e-mail besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The id of the e-mail, unique for the site: the left side of its `Message-ID`. The same id means the
    /// same e-mail.
    pub id: &'a str,
    /// The recipient's address.
    pub to: &'a Email,
    /// The recipient's language.
    pub language: Language,
    /// Its `Date` header.
    pub written_at: OffsetDateTime,
}

/// Why an e-mail cannot be a message.
#[derive(Debug, Error)]
pub(super) enum MessageError {
    #[error("mail servers do not accept this address")]
    Address(#[from] AddressError),
    #[error("the e-mail cannot be a message: {0}")]
    Parts(#[from] lettre::error::Error),
}

/// Returns the address for mail servers.
pub(super) fn address(email: &Email) -> Result<Address, AddressError> {
    // As it was typed, because only the recipient's server knows whether case matters (RFC 5321, 2.4).
    let user = email.as_typed().rsplit_once('@').map_or("", |(user, _)| user);
    // In ASCII: many servers cannot read a domain in Unicode.
    let domain = email.canonical().rsplit_once('@').map_or("", |(_, domain)| domain);
    Address::new(user, domain)
}

/// Encodes an id for a `Message-ID` and a file name; different ids stay different.
pub(super) fn file_safe(id: &str) -> String {
    use std::fmt::Write as _;
    let mut plain = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            plain.push(char::from(byte));
        } else {
            let _ = write!(plain, "_{byte:02x}");
        }
    }
    plain
}

/// Builds the message of an e-mail.
pub(super) fn message(
    envelope: &Envelope<'_>,
    from: &Mailbox,
    rendered: RenderedEmail,
) -> Result<Message, MessageError> {
    let to = address(envelope.to)?;
    let id = file_safe(envelope.id);
    // Derived from the id, so that the same e-mail is the same message. Neither of the two encodings that
    // a part may have produces "=_" (RFC 2045, 6.7).
    let boundary: String = "=_".chars().chain(id.chars().take(MAX_BOUNDARY)).collect();
    let parts = MultiPart::alternative().boundary(boundary);
    let parts = parts
        .singlepart(part(ContentType::TEXT_PLAIN, rendered.text))
        .singlepart(part(ContentType::TEXT_HTML, rendered.html));
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(rendered.subject)
        .date(SystemTime::from(envelope.written_at))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        // Keeps other programs from answering with an absence note (RFC 3834, 5).
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("Content-Language", envelope.language.tag()))
        .multipart(parts)?;
    Ok(message)
}

fn part(kind: ContentType, body: String) -> SinglePart {
    SinglePart::builder().content_type(kind).body(body)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_safe_for_files_and_stay_different() {
        assert_eq!(file_safe("01K3-abc"), "01K3-abc");
        assert_eq!(file_safe("../a b@c"), "_2e_2e_2fa_20b_40c");
        assert_ne!(file_safe("a_2f"), file_safe("a/"));
    }

    #[test]
    fn a_korean_domain_is_written_in_ascii_and_the_local_part_as_it_was_typed() {
        let email = Email::parse("Ada.Lee@한국.kr").expect("an address");

        let address = address(&email).expect("an address");

        assert_eq!(address.to_string(), "Ada.Lee@xn--3e0b707e.kr");
    }
}

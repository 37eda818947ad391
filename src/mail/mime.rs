//! A written e-mail as a message that mail programs understand (RFC 5322 and MIME).
//!
//! The same e-mail in the same envelope is the same message, byte for byte, so that an e-mail that
//! was sent twice can be recognised.

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

/// The longest boundary is 70 characters (RFC 2046, 5.1.1), two of which are ours.
const MAX_BOUNDARY: usize = 68;

/// What stands on an e-mail's envelope.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The name of the e-mail among all e-mails: what stands on the left of its `Message-ID`. The
    /// same name means the same e-mail.
    pub id: &'a str,
    /// Who it goes to.
    pub to: &'a Email,
    /// The language of its reader.
    pub language: Language,
    /// What its `Date` says.
    pub written_at: OffsetDateTime,
}

/// Why an e-mail cannot be put into its envelope.
#[derive(Debug, Error)]
pub(super) enum MessageError {
    #[error("no e-mail can go to this address")]
    Address(#[from] AddressError),
    #[error("the e-mail does not fit into its envelope: {0}")]
    Parts(#[from] lettre::error::Error),
}

/// The address as mail servers have it: the name as it was typed, the domain in ASCII.
pub(super) fn address(email: &Email) -> Result<Address, AddressError> {
    let user = email.as_typed().rsplit_once('@').map_or("", |(user, _)| user);
    let domain = email.canonical().rsplit_once('@').map_or("", |(_, domain)| domain);
    Address::new(user, domain)
}

/// A name that fits into a `Message-ID` and into a file name; different names stay different.
pub(super) fn plain(id: &str) -> String {
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

/// Puts an e-mail into its envelope.
pub(super) fn message(
    envelope: &Envelope<'_>,
    from: &Mailbox,
    written: RenderedEmail,
) -> Result<Message, MessageError> {
    let to = address(envelope.to)?;
    let id = plain(envelope.id);
    // "=_" can stand in neither of the two encodings that a part may have (RFC 2045, 6.7).
    let boundary: String = "=_".chars().chain(id.chars().take(MAX_BOUNDARY)).collect();
    let parts = MultiPart::alternative().boundary(boundary);
    let parts = parts
        .singlepart(part(ContentType::TEXT_PLAIN, written.text))
        .singlepart(part(ContentType::TEXT_HTML, written.html));
    let message = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(written.subject)
        .date(SystemTime::from(envelope.written_at))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
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
    fn names_stay_different_and_become_plain() {
        assert_eq!(plain("01K3-abc"), "01K3-abc");
        assert_eq!(plain("../a b@c"), "_2e_2e_2fa_20b_40c");
        assert_ne!(plain("a_2f"), plain("a/"));
    }

    #[test]
    fn a_korean_domain_is_written_in_ascii_and_the_name_as_it_was_typed() {
        let email = Email::parse("Ada.Lee@한국.kr").expect("an address");

        let address = address(&email).expect("an address");

        assert_eq!(address.to_string(), "Ada.Lee@xn--3e0b707e.kr");
    }
}

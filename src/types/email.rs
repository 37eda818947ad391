//! An e-mail address that letters can reach, and the one form in which two addresses are compared.
//!
//! Knows the grammar that Daemun accepts, not whether anybody reads the mailbox.

use std::fmt;

use thiserror::Error;
use validator::ValidateEmail;

/// An e-mail address: as the person typed it, and canonical for comparison.
///
/// Letters go to the typed form only. The canonical form has its domain in lower-case ASCII
/// (IDNA) and its local part in lower case, so that one mailbox cannot hold two accounts.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    typed: String,
    canonical: String,
}

/// Why something typed is not an [`Email`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmailError {
    /// Nothing but white space.
    #[error("no address given")]
    Missing,
    /// More than 254 bytes.
    #[error("address too long")]
    TooLong,
    /// Not an address of the accepted grammar.
    #[error("not an address")]
    Malformed,
}

impl Email {
    /// The longest address that fits into an SMTP path (RFC 5321, 4.5.3.1.3), in bytes.
    pub const MAX_BYTES: usize = 254;

    /// Parses what a person typed; white space around it is dropped.
    ///
    /// Accepted is the subset of RFC 5321 that every mail program agrees on: a dot-atom, `@`, and a
    /// domain name. Quoted local parts, comments, address literals and trailing dots are refused.
    ///
    /// # Errors
    /// [`EmailError`] says what is wrong.
    pub fn parse(typed: &str) -> Result<Self, EmailError> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err(EmailError::Missing);
        }
        if typed.len() > Self::MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = typed.rsplit_once('@').ok_or(EmailError::Malformed)?;
        if !typed.validate_email() || !is_dot_atom(local) {
            return Err(EmailError::Malformed);
        }
        let domain = ascii_domain(domain).ok_or(EmailError::Malformed)?;
        let canonical = format!("{}@{domain}", local.to_lowercase());
        if canonical.len() > Self::MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        Ok(Self { typed: typed.to_owned(), canonical })
    }

    /// The address as the person wrote it, white space around it aside.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The form under which the address is unique.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// Addresses are personal data: logs and panics get none.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(..)")
    }
}

fn is_dot_atom(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty())
}

fn ascii_domain(domain: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let is_named = ascii.contains('.') || ascii == "localhost";
    let is_plain = !ascii.starts_with('[') && !ascii.ends_with('.');
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit());
    (is_named && is_plain && !is_address).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_addresses_are_accepted_as_typed() {
        for typed in
            ["ada@example.com", "o'hara+tag&co@example.com", "A.B@Sub.Example.COM", "x@localhost"]
        {
            assert_eq!(Email::parse(typed).expect(typed).as_typed(), typed);
        }
    }

    #[test]
    fn white_space_around_an_address_is_dropped() {
        assert_eq!(
            Email::parse("  ada@example.com\t").expect("parses").as_typed(),
            "ada@example.com"
        );
    }

    #[test]
    fn one_mailbox_has_one_canonical_form() {
        let plain = Email::parse("join.five@example.com").expect("parses");

        let shouted = Email::parse("Join.Five@EXAMPLE.com").expect("parses");

        assert_eq!(plain.canonical(), shouted.canonical());
    }

    #[test]
    fn a_korean_domain_is_compared_in_its_ascii_form() {
        let email = Email::parse("ada@한국.kr").expect("parses");

        assert_eq!(email.canonical(), "ada@xn--3e0b707e.kr");
    }

    #[test]
    fn what_only_some_mail_programs_understand_is_refused() {
        for typed in [
            "ada",
            "@example.com",
            "ada@",
            "a@b@c.com",
            "<ada@example.com>",
            "\"a b\"@example.com",
            "ada(comment)@example.com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@example.com.",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "ada@exa mple.com",
            "ada@example..com",
            "ada@-example.com",
            "ada@intranet",
            "ada\u{0}@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
        ] {
            assert_eq!(Email::parse(typed), Err(EmailError::Malformed), "{typed:?}");
        }
    }

    #[test]
    fn length_is_counted_in_bytes() {
        let label = "a".repeat(60);
        let domain = format!("{label}.{label}.{label}.example");
        let fits = format!("{}@{domain}", "b".repeat(254 - 1 - domain.len()));
        assert!(Email::parse(&fits).is_ok());

        assert_eq!(Email::parse(&format!("b{fits}")), Err(EmailError::TooLong));
    }
}

//! An e-mail address, and the canonical form by which two addresses are compared.
//!
//! Knows the accepted grammar, not whether the mailbox exists.

use std::fmt;

use thiserror::Error;
use validator::ValidateEmail;

use super::text;

/// An e-mail address, as typed and in canonical form.
///
/// E-mails go to the typed form. Its domain is as typed if that is plain ASCII, and otherwise the
/// Unicode spelling of the canonical one: full-width letters become narrow and syllables are
/// composed. The canonical form has its domain in lower-case ASCII (IDNA) and its local part in
/// lower case, so that one mailbox cannot have two accounts.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    typed: String,
    canonical: String,
}

/// Why a text is not an [`Email`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmailError {
    /// Only white space.
    #[error("no address given")]
    Missing,
    /// More than 254 bytes.
    #[error("address too long")]
    TooLong,
    /// Not an address of the accepted grammar.
    #[error("not an address")]
    Malformed,
    /// Contains an invisible character, so the address is not what it looks like.
    #[error("address with an invisible character")]
    Invisible(char),
}

impl EmailError {
    /// Returns the invisible character as in `U+200B`; empty for other errors.
    #[must_use]
    pub fn sign(self) -> String {
        match self {
            Self::Invisible(sign) => format!("U+{:04X}", u32::from(sign)),
            Self::Missing | Self::TooLong | Self::Malformed => String::new(),
        }
    }
}

impl Email {
    /// The longest address that fits into an SMTP path (RFC 5321, 4.5.3.1.3), in bytes.
    pub const MAX_BYTES: usize = 254;

    /// Parses an address; white space and invisible characters around it are dropped.
    ///
    /// Accepts the subset of RFC 5321 on which all mail programs agree: a dot-atom, `@`, and a
    /// domain name. Refuses quoted local parts, comments, address literals and trailing dots.
    pub fn parse(typed: &str) -> Result<Self, EmailError> {
        let typed = text::trimmed(typed);
        match text::invisible_in(typed) {
            Some(sign) => Err(EmailError::Invisible(sign)),
            None => Self::read(typed),
        }
    }

    /// Parses an address from the database.
    pub fn from_stored(stored: &str) -> Result<Self, EmailError> {
        match text::invisible_in(stored) {
            // Stored before invisible characters were refused; its account remains usable.
            Some(_) => Self::read(&text::visible(stored)),
            None => Self::read(stored),
        }
    }

    fn read(typed: &str) -> Result<Self, EmailError> {
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
        let ascii = ascii_domain(domain).ok_or(EmailError::Malformed)?;
        // In lower case, so that one mailbox cannot have two accounts.
        let canonical = format!("{}@{ascii}", local.to_lowercase());
        // The ASCII form of a domain may be longer than what was typed.
        if canonical.len() > Self::MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let typed = match stored_domain(domain, &ascii) {
            // The Unicode spelling may have more bytes than the address that was typed.
            Some(unicode) if local.len() + 1 + unicode.len() <= Self::MAX_BYTES => {
                format!("{local}@{unicode}")
            }
            Some(_) => format!("{local}@{ascii}"),
            None => typed.to_owned(),
        };
        Ok(Self { typed, canonical })
    }

    /// Returns the spelling of a part of an address in the database, for searching; any other text
    /// is returned unchanged.
    #[must_use]
    pub fn stored_spelling(piece: &str) -> String {
        let (local, domain) = match piece.rsplit_once('@') {
            Some((local, domain)) => (Some(local), domain),
            None => (None, piece),
        };
        if !(is_encoded(domain) || (local.is_some() && !domain.is_ascii())) {
            return piece.to_owned();
        }
        let (unicode, outcome) = idna::domain_to_unicode(domain);
        match (local, outcome) {
            (Some(local), Ok(())) => format!("{local}@{unicode}"),
            (None, Ok(())) => unicode,
            (_, Err(_)) => piece.to_owned(),
        }
    }

    /// Returns the address as typed, except for the spelling of a domain beyond ASCII.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// Returns whether mail to the address stays in this network: its domain is `localhost`, below
    /// it, or a name without a dot.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let domain = self.canonical.rsplit_once('@').map_or("", |(_, domain)| domain);
        !domain.contains('.') || domain.ends_with(".localhost")
    }

    /// Returns the form by which the address is unique.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// Debug output does not contain the address, which is personal data.
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
    // An address literal or a trailing dot, which some mail programs refuse.
    let is_plain = !ascii.starts_with('[') && !ascii.ends_with('.');
    let last = ascii.rsplit('.').next().unwrap_or_default();
    // A domain that ends in a number is an IP address.
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && !is_address).then_some(ascii)
}

/// Returns the stored spelling of a domain that is not plain ASCII.
fn stored_domain(domain: &str, ascii: &str) -> Option<String> {
    if domain.is_ascii() && !is_encoded(domain) {
        return None;
    }
    let (unicode, outcome) = idna::domain_to_unicode(ascii);
    // The stored spelling is parsed again, and must give the same canonical address.
    let reads_back = outcome.is_ok() && ascii_domain(&unicode).as_deref() == Some(ascii);
    Some(if reads_back { unicode } else { ascii.to_owned() })
}

/// Returns whether a domain has a label in the ASCII form of IDNA.
fn is_encoded(domain: &str) -> bool {
    domain.split('.').any(|label| label.get(..4).is_some_and(|it| it.eq_ignore_ascii_case("xn--")))
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
    fn a_domain_beyond_ascii_is_kept_in_one_spelling() {
        for (typed, kept) in [
            ("ada@ｅｘａｍｐｌｅ.com", "ada@example.com"),
            ("ada@ｅｘａｍｐｌｅ。ｃｏｍ", "ada@example.com"),
            ("Ada@한국.KR", "Ada@한국.kr"),
            ("ada@\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}.kr", "ada@한국.kr"),
            ("ada@XN--3E0B707E.KR", "ada@한국.kr"),
        ] {
            let email = Email::parse(typed).expect(typed);

            assert_eq!(email.as_typed(), kept, "{typed}");
            assert_eq!(Email::parse(kept).expect(kept), email, "{typed}");
        }
    }

    #[test]
    fn an_invisible_sign_is_named_and_dropped_only_at_the_ends() {
        let email = Email::parse("\u{feff}\u{200b} ada@example.com\u{2060}\u{3000}");
        assert_eq!(email.expect("parses").as_typed(), "ada@example.com");

        for (typed, sign, name) in [
            ("zw@exam\u{200b}ple.com", '\u{200b}', "U+200B"),
            ("z\u{ad}w@example.com", '\u{ad}', "U+00AD"),
            ("zw\u{3000}@example.com", '\u{3000}', "U+3000"),
            ("zw@\u{e0020}example.com", '\u{e0020}', "U+E0020"),
        ] {
            let refused = Email::parse(typed).expect_err(typed);
            assert_eq!((refused, refused.sign().as_str()), (EmailError::Invisible(sign), name));
        }
        let stored = Email::from_stored("zw@exam\u{200b}ple.com").expect("reads");
        assert_eq!(stored.as_typed(), "zw@example.com");
    }

    #[test]
    fn a_piece_is_searched_for_as_it_is_stored() {
        for (piece, spelled) in [
            ("ada@xn--3e0b707e.kr", "ada@한국.kr"),
            ("@XN--3e0b707e", "@한국"),
            ("xn--3e0b707e.kr", "한국.kr"),
            ("ada@ｅｘａｍｐｌｅ.com", "ada@example.com"),
            ("ada@한", "ada@한"),
            ("Ada@Example.COM", "Ada@Example.COM"),
            ("ＡＤＡ", "ＡＤＡ"),
            ("xn--", "xn--"),
            ("a@b@c", "a@b@c"),
        ] {
            assert_eq!(Email::stored_spelling(piece), spelled, "{piece}");
        }
    }

    #[test]
    fn a_spelling_that_would_be_too_long_stays_in_ascii() {
        let label = idna::domain_to_ascii(&"가".repeat(18)).expect("a label");
        let domain = [label.as_str(); 5].join(".");
        let email = Email::parse(&format!("ada@{domain}.kr")).expect("short in ASCII");

        assert_eq!(email.as_typed(), format!("ada@{domain}.kr"));
        assert_eq!(Email::from_stored(email.as_typed()), Ok(email));
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
            "ada\u{0}@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
        ] {
            assert_eq!(Email::parse(typed), Err(EmailError::Malformed), "{typed:?}");
        }
    }

    #[test]
    fn an_address_that_leaves_no_network_is_local() {
        for (typed, is_local) in [
            ("ada@localhost", true),
            ("ada@LOCALHOST", true),
            ("ada@dev.localhost", true),
            ("ada@intranet", true),
            ("ada@한국", true),
            ("ada@example.com", false),
            ("ada@localhost.example.com", false),
        ] {
            assert_eq!(Email::parse(typed).expect(typed).is_local(), is_local, "{typed}");
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

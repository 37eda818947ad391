//! The sender of e-mails: an address, and perhaps a name.

use std::fmt;
use std::str::FromStr;

use super::problem::NotAllowed;
use crate::types::Email;

/// The sender of e-mails: an address, and perhaps a name, as in `Daemun <no-reply@localhost>`.
#[derive(Clone, PartialEq, Eq)]
pub struct MailFrom {
    /// The name that mail programs show; `None` shows the address.
    pub name: Option<String>,
    /// The address, to which undeliverable e-mails are returned.
    pub email: Email,
}

impl MailFrom {
    /// Returns whether the address is local, so that no mail from elsewhere reaches it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.email.is_local()
    }
}

impl Default for MailFrom {
    fn default() -> Self {
        "Daemun <no-reply@localhost>".parse().expect("a name and an address")
    }
}

impl FromStr for MailFrom {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        let (name, address) = match text.trim().strip_suffix('>') {
            Some(text) => text.rsplit_once('<').ok_or(NotAllowed)?,
            None => ("", text),
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(name);
        // Such a name could end its header line, or pass for a second address.
        if name.contains(|char: char| char.is_control() || "<>\"\\".contains(char)) {
            return Err(NotAllowed);
        }
        let email = Email::parse(address).map_err(|_| NotAllowed)?;
        Ok(Self { name: Some(name.to_owned()).filter(|name| !name.is_empty()), email })
    }
}

impl fmt::Display for MailFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.email.as_typed()),
            None => f.write_str(self.email.as_typed()),
        }
    }
}

/// Debug output contains the site's own address, which is not personal data.
impl fmt::Debug for MailFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailFrom({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, name, email) in [
            ("Daemun <no-reply@localhost>", Some("Daemun"), "no-reply@localhost"),
            ("no-reply@example.com", None, "no-reply@example.com"),
            ("<no-reply@example.com>", None, "no-reply@example.com"),
            (" 대문 계정 <a@한국.kr> ", Some("대문 계정"), "a@한국.kr"),
            ("\"Gate, the front\" <a@example.com>", Some("Gate, the front"), "a@example.com"),
        ] {
            let from: MailFrom = text.parse().expect(text);

            assert_eq!((from.name.as_deref(), from.email.as_typed()), (name, email));
        }
        assert!(MailFrom::default().is_local());
    }

    #[test]
    fn what_is_no_sender_is_refused() {
        for text in [
            "",
            "Daemun",
            "Daemun no-reply@example.com",
            "Daemun <no-reply>",
            "Daemun <a@example.com",
            "Daemun <a@example.com> x",
            "a@example.com, b@example.com",
            "A <a@example.com>, B <b@example.com>",
            "A\r\nBcc: b@example.com <a@example.com>",
            "A\" <b@example.com>, \"B <a@example.com>",
        ] {
            assert!(text.parse::<MailFrom>().is_err(), "{text:?}");
        }
    }
}

//! The name of a user, as one text: names have no parts that all cultures share.

use thiserror::Error;

use crate::types::text;

/// The name of a user; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// More than 150 code points.
    #[error("name too long")]
    TooLong,
    /// Holds control characters such as line breaks.
    #[error("name with control characters")]
    Unprintable,
}

impl Name {
    /// Longest name, in code points; as long as Django's first name.
    pub const MAX: usize = 150;

    /// Parses a name: composes it (NFC), and drops white space and invisible characters around it.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let typed = text::normalized(typed);
        // Counted composed: a Hangul syllable is one character, not three.
        if typed.chars().count() > Self::MAX {
            return Err(NameError::TooLong);
        }
        if typed.chars().any(char::is_control) {
            return Err(NameError::Unprintable);
        }
        Ok(Self(typed.into_owned()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_printable_and_of_limited_length() {
        assert_eq!(Name::parse(" 홍길동 ").expect("a name").as_str(), "홍길동");
        let decomposed = "\u{1112}\u{1169}\u{11bc}\u{1100}\u{1175}\u{11af}\u{1103}\u{1169}\u{11bc}";
        assert_eq!(Name::parse(decomposed).expect("a name").as_str(), "홍길동");
        assert!(Name::parse(&"\u{1112}\u{1169}\u{11bc}".repeat(150)).is_ok(), "counted composed");
        assert_eq!(Name::parse("a\nb"), Err(NameError::Unprintable));
        assert_eq!(Name::parse(&"가".repeat(151)), Err(NameError::TooLong));
    }
}

//! The reasons to refuse a password, with the keys of their messages.
//!
//! Holds facts; the entry points turn them into sentences.

use super::user_attributes::UserAttribute;

/// Longest password, in code points: more than NIST SP 800-63B-4 asks for (64), few enough that
/// hashing and weighing stay cheap.
pub const MAX_LENGTH: usize = 128;

/// One reason to refuse a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer code points than this.
    TooShort(u8),
    /// More than 128 code points.
    TooLong,
    /// Similar to an attribute of the user.
    TooSimilar(UserAttribute),
    /// On the lists of common passwords.
    TooCommon,
    /// Only digits.
    EntirelyNumeric,
    /// None of the above, and still guessed quickly.
    TooGuessable,
}

impl Weakness {
    /// Returns the translation key of the message.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::TooShort(_) => "password.too_short",
            Self::TooLong => "password.too_long",
            Self::TooSimilar(UserAttribute::Email) => "password.like_email",
            Self::TooSimilar(UserAttribute::Name) => "password.like_name",
            Self::TooSimilar(UserAttribute::DateOfBirth) => "password.like_date_of_birth",
            Self::TooCommon => "password.too_common",
            Self::EntirelyNumeric => "password.entirely_numeric",
            Self::TooGuessable => "password.too_guessable",
        }
    }

    /// Returns the placeholder of the message and its number, if it has one.
    #[must_use]
    pub fn bound(self) -> Option<(&'static str, usize)> {
        match self {
            Self::TooShort(min) => Some(("min", usize::from(min))),
            Self::TooLong => Some(("max", MAX_LENGTH)),
            _ => None,
        }
    }
}

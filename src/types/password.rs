//! A password as it was typed: kept as briefly as possible, never printed, wiped after use.
//!
//! Does not know whether the password is strong; `accounts` does.

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The text of a password field, in Unicode normal form C. Spaces at the ends belong to it.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text is not a [`Password`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// The field was empty.
    #[error("no password given")]
    Missing,
}

impl Password {
    /// Parses a password.
    ///
    /// # Errors
    /// [`PasswordError::Missing`] when nothing was typed.
    pub fn parse(typed: &str) -> Result<Self, PasswordError> {
        if typed.is_empty() {
            return Err(PasswordError::Missing);
        }
        // So that é typed on one keyboard equals é typed on another (NIST SP 800-63B-4, 3.1.1.2).
        Ok(Self(Zeroizing::new(typed.nfc().collect())))
    }

    /// Returns the length in Unicode code points.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.chars().count()
    }

    /// Returns the text, for hashing and for the strength check.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_decomposed_letters_are_the_same_password() {
        let composed = Password::parse("caf\u{e9} au lait").expect("typed");

        let decomposed = Password::parse("cafe\u{301} au lait").expect("typed");

        assert_eq!(composed.expose(), decomposed.expose());
    }

    #[test]
    fn a_ligature_stays_a_ligature() {
        let ligature = Password::parse("\u{fb01}ne weather").expect("typed");

        assert_ne!(ligature.expose(), "fine weather");
    }

    #[test]
    fn spaces_at_the_ends_belong_to_the_password() {
        assert_eq!(Password::parse(" a b ").expect("typed").expose(), " a b ");
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        let password = Password::parse("open sesame").expect("typed");

        assert_eq!(format!("{password:?}"), "Password(..)");
    }
}

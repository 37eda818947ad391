//! The secret pair: what is given out once, and what is kept of it.
//!
//! There is a way from the first to the second (`crypto::hash_secret`) and none back.

use std::fmt;

use zeroize::Zeroizing;

/// A secret that is handed to one person once, such as the token of a one-time link.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the text of a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one who is to have it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What the database keeps of a [`Secret`]: its SHA-256, in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedSecret(pub(crate) String);

impl HashedSecret {
    /// The digits to store and to look up.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HashedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashedSecret(..)")
    }
}

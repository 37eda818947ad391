//! The two forms of a secret: the text that is given out once, and the hash that is stored.
//! `crypto::hash_secret` turns the first into the second.

use std::fmt;

use zeroize::Zeroizing;

/// A secret that is given to one user once, such as the token of a link.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the text of a secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the text, to give it to its user.
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

/// The stored form of a [`Secret`]: its SHA-256, in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct HashedSecret(pub(crate) String);

impl HashedSecret {
    /// Returns the digits to store and to look up.
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

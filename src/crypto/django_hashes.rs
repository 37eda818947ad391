//! Password hashes that Django made: they open their accounts once, and are made anew by argon2id then.
//!
//! Django writes `algorithm$…` (`django.contrib.auth.hashers`). Its `argon2` is a PHC string behind that
//! word and is imported as such; its default, `pbkdf2_sha256`, is computed here. The others (scrypt,
//! bcrypt, MD5) are refused: these users request a link to choose a new password.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, verify};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::types::Password;

const PBKDF2: &str = "pbkdf2_sha256$";

/// What Django puts before a PHC string.
const ARGON2: &str = "argon2";

/// Django 5.2 makes a million. More than ten would occupy a core for seconds at every attempt.
const MOST_ITERATIONS: u32 = 10_000_000;

/// Length of the output: that of SHA-256.
const OUTPUT: usize = 32;

/// A hash of a kind that is not known here, or no hash at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("unsupported password hash")]
pub struct UnsupportedHash;

/// A hash as Django's `pbkdf2_sha256` writes it: iterations, salt, output.
pub(super) struct Pbkdf2 {
    iterations: NonZeroU32,
    salt: String,
    output: [u8; OUTPUT],
}

impl Pbkdf2 {
    pub(super) fn read(stored: &str) -> Option<Self> {
        let mut parts = stored.strip_prefix(PBKDF2)?.split('$');
        let (iterations, salt, output) = (parts.next()?, parts.next()?, parts.next()?);
        let iterations: NonZeroU32 = iterations.parse().ok()?;
        let output = STANDARD.decode(output).ok()?.try_into().ok()?;
        let is_whole = parts.next().is_none() && !salt.is_empty();
        (is_whole && iterations.get() <= MOST_ITERATIONS).then(|| Self {
            iterations,
            salt: salt.to_owned(),
            output,
        })
    }

    pub(super) fn iterations(&self) -> u32 {
        self.iterations.get()
    }

    pub(super) fn fits(&self, password: &Password) -> bool {
        let (salt, typed) = (self.salt.as_bytes(), password.expose().as_bytes());
        verify(PBKDF2_HMAC_SHA256, self.iterations, salt, typed, &self.output).is_ok()
    }
}

/// Returns what to store for a hash of Django's; `None` for an account without a password.
pub(super) fn import(hash: &str) -> Result<Option<&str>, UnsupportedHash> {
    // Django's `UNUSABLE_PASSWORD_PREFIX`.
    if hash.starts_with('!') {
        return Ok(None);
    }
    if Pbkdf2::read(hash).is_some() {
        return Ok(Some(hash));
    }
    // The rest is a PHC string, whose first `$` is its own and stays.
    let phc = hash.strip_prefix(ARGON2).filter(|phc| phc.starts_with('$'));
    phc.map(Some).ok_or(UnsupportedHash)
}

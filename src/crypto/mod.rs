//! The one place that touches cryptography: randomness, derived keys, sealing, password hashing
//! and signed tokens. Everything comes from aws-lc-rs, argon2 and jsonwebtoken.
//!
//! Knows nothing of accounts or sessions; it is handed bytes and gives back bytes.

mod django_hashes;
mod dummy_work;
mod hash_cost;
mod id_token;
pub mod jwt;
mod key_derivation;
mod keyring;
mod memory;
mod password_hash;
mod passwords;
mod random;
mod signing_key;
mod work_queue;

use aws_lc_rs::constant_time;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use dummy_work::HashKinds;
pub use hash_cost::HashCostLimit;
pub use id_token::{IdTokenError, IdTokenKeys};
pub use key_derivation::{DerivedKeys, SecretKey, SecretKeyError, UnsealError};
pub use keyring::{KeyState, Keyring, TimedKey};
pub use password_hash::{HashCost, PasswordHash};
pub use passwords::Hasher;
pub use random::Random;
pub use signing_key::{Algorithm, KeyError, SigningKey};
pub use work_queue::{QueueFull, QueueLimits, WorkQueue};

use crate::types::{HashedSecret, Secret};

/// Hashes a random secret for storage; not for passwords.
#[must_use]
pub fn hash_secret(secret: &Secret) -> HashedSecret {
    // A plain digest is enough: 256 random bits cannot be guessed, so a slow hash adds nothing.
    HashedSecret(hex(&sha256(secret.expose().as_bytes())))
}

/// Returns whether two secrets are the same.
#[must_use]
pub fn constant_time_eq(one: &str, other: &str) -> bool {
    // `==` ends at the first difference, so its duration tells how much of a guess was right.
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Writes base64 for URLs, without padding (RFC 4648, 5).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads [`base64url`].
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Writes lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

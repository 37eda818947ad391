//! Stored password hashes: what they cost, and reading and writing them as PHC strings.
//!
//! Computes nothing: `passwords` does, on its threads.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::{Params, Version};
use thiserror::Error;

use super::django_hashes;
use super::django_hashes::{Pbkdf2, UnsupportedHash};

/// Length of a hash in bytes (RFC 9106, 4 recommends 256 bits).
pub(super) const OUTPUT: usize = 32;

/// The most that a stored hash may cost, in KiB: Django's argon2 takes 100 MiB.
const MOST_MEMORY: u32 = 256 * 1024;

/// A stored password hash in PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a hash that the database has.
    #[must_use]
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// Imports a hash that Django made; `None` for an account without a usable password.
    ///
    /// # Errors
    /// [`UnsupportedHash`] when it is of a kind that is not computed here, or damaged.
    pub fn from_django(hash: &str) -> Result<Option<Self>, UnsupportedHash> {
        // The parser accepts any text as a salt, and PostgreSQL refuses text with a NUL.
        if hash.chars().any(char::is_control) {
            return Err(UnsupportedHash);
        }
        let Some(hash) = django_hashes::import(hash)? else { return Ok(None) };
        let hash = Self(hash.to_owned());
        let is_known = Readable::of(&hash).is_some();
        if is_known { Ok(Some(hash)) } else { Err(UnsupportedHash) }
    }

    /// Returns the string to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A hash in a log could be attacked offline.
        f.write_str("PasswordHash(..)")
    }
}

/// What a hash costs: argon2id's memory (KiB), passes and lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        // OWASP's recommendation for argon2id: 19 MiB, two passes, one lane.
        Self { memory: 19_456, passes: 2, lanes: 1 }
    }
}

/// `m=19456,t=2,p=1`
impl fmt::Display for HashCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={},t={},p={}", self.memory, self.passes, self.lanes)
    }
}

/// A text that is not a [`HashCost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not argon2id parameters")]
pub struct HashCostError;

impl FromStr for HashCost {
    type Err = HashCostError;

    fn from_str(text: &str) -> Result<Self, HashCostError> {
        let params: phc::ParamsString = text.parse().map_err(|_| HashCostError)?;
        let number = |name| params.get_decimal(name).ok_or(HashCostError);
        let cost = Self { memory: number("m")?, passes: number("t")?, lanes: number("p")? };
        cost.params().map(|_| cost)
    }
}

impl HashCost {
    pub(super) fn params(self) -> Result<Params, HashCostError> {
        Params::new(self.memory, self.passes, self.lanes, Some(OUTPUT)).map_err(|_| HashCostError)
    }

    /// Returns how many blocks of 1 KiB are computed.
    pub(super) fn blocks(self) -> u64 {
        u64::from(self.memory) * u64::from(self.passes)
    }

    pub(super) fn is_below(self, other: Self) -> bool {
        // Lanes only divide the same work among threads.
        self.memory < other.memory || self.passes < other.passes
    }
}

pub(super) fn write_phc(cost: HashCost, salt: &[u8], output: &[u8]) -> PasswordHash {
    let hash = phc::PasswordHash {
        algorithm: argon2::Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: cost.to_string().parse().expect("a cost is written as PHC parameters"),
        salt: Some(phc::Salt::new(salt).expect("16 bytes are a salt")),
        hash: Some(phc::Output::new(output).expect("32 bytes are an output")),
    };
    PasswordHash(hash.to_string())
}

/// A hash that passwords can be compared with.
pub(super) enum Readable {
    /// Cost, salt and output.
    Argon2id(HashCost, Vec<u8>, [u8; OUTPUT]),
    /// An imported one.
    Django(Pbkdf2),
}

impl Readable {
    /// Reads a stored hash; `None` for what we neither wrote nor imported, or what is damaged.
    pub(super) fn of(stored: &PasswordHash) -> Option<Self> {
        if let Some(hash) = Pbkdf2::read(&stored.0) {
            return Some(Self::Django(hash));
        }
        let hash = phc::PasswordHash::new(&stored.0).ok()?;
        let is_argon2id = hash.algorithm == argon2::Algorithm::Argon2id.ident()
            && hash.version == Some(Version::V0x13.into());
        let cost: HashCost = hash.params.to_string().parse().ok()?;
        // The argon2 crate takes no shorter salt.
        let salt = hash.salt.filter(|salt| salt.len() >= 8)?.to_vec();
        let output = hash.hash?.as_bytes().try_into().ok()?;
        (is_argon2id && cost.memory <= MOST_MEMORY).then_some(Self::Argon2id(cost, salt, output))
    }
}

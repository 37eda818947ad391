//! IDs of users, groups, jobs and sessions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Parses an ID as URLs have it.
#[must_use]
pub fn number(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    // One spelling only: `+7` and `07` are not found.
    (number > 0 && number.to_string() == text).then_some(number)
}

/// The ID of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserId(pub i64);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The ID of a group of staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub i64);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The ID of a bulk job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BulkJobId(pub i64);

impl fmt::Display for BulkJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The ID of a session: 128 random bits, written as 32 hexadecimal digits.
///
/// It identifies a session in tokens, in the database and in the list of devices. It is no credential:
/// only a signed token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(u128);

impl SessionId {
    /// Returns the ID with these bits.
    #[must_use]
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for SessionId {
    type Err = std::num::ParseIntError;

    /// Parses the 32 digits that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // `from_str_radix` alone would also accept a sign and upper case.
        let is_canonical =
            text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        u128::from_str_radix(if is_canonical { text } else { "" }, 16).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_reads_back_as_it_was_written() {
        let id = SessionId::from_random([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!((number("7"), number("9223372036854775807")), (Some(7), Some(i64::MAX)));
        for text in ["", "0", "-1", "+1", "01", "1.0", "x", "9223372036854775808"] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_session_id_has_one_spelling() {
        for text in
            ["", "1", "+0000000000000000000000000000001", "0000000000000000000000000000000A"]
        {
            assert!(text.parse::<SessionId>().is_err(), "{text:?}");
        }
    }
}

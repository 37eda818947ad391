//! The date of birth of a user.
//!
//! Knows which dates are possible; does not read the clock.

use std::fmt;

use thiserror::Error;
use time::Date;
use time::macros::format_description;

/// The highest age that is accepted, in years. The longest documented life lasted 122.
const MAX_AGE_YEARS: i32 = 130;

/// A date on which a living user can have been born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BirthDate(Date);

/// Why a text is not a [`BirthDate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BirthDateError {
    /// Not a date in the form YYYY-MM-DD.
    #[error("not a date")]
    Malformed,
    /// After today.
    #[error("date in the future")]
    Future,
    /// Longer ago than anyone lives.
    #[error("date too long ago")]
    TooLongAgo,
}

impl BirthDate {
    /// Parses a form value; an empty one means that the user gave no date.
    pub fn parse(typed: &str, today: Date) -> Result<Option<Self>, BirthDateError> {
        if typed.is_empty() {
            return Ok(None);
        }
        let date = Self::from_iso(typed).ok_or(BirthDateError::Malformed)?;
        if date.0 > today {
            return Err(BirthDateError::Future);
        }
        if date.0.year() < today.year() - MAX_AGE_YEARS {
            return Err(BirthDateError::TooLongAgo);
        }
        Ok(Some(date))
    }

    /// Parses what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn from_iso(text: &str) -> Option<Self> {
        // The parser of `time` also accepts a sign before the year.
        let is_iso = text.len() == 10 && text.as_bytes()[0].is_ascii_digit();
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        is_iso.then_some(Self(date))
    }
}

/// Writes YYYY-MM-DD.
impl fmt::Display for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 03 - 01);

    #[test]
    fn a_calendar_date_is_a_date_of_birth() {
        let born = BirthDate::parse("1990-02-28", TODAY).expect("a date").expect("given");

        assert_eq!(born.to_string(), "1990-02-28");
    }

    #[test]
    fn an_impossible_date_of_birth_is_refused() {
        assert_eq!(BirthDate::parse("2026-03-02", TODAY), Err(BirthDateError::Future));
        assert_eq!(BirthDate::parse("1895-12-31", TODAY), Err(BirthDateError::TooLongAgo));
        for typed in
            ["1990-02-30", "1990/02/28", "28.02.1990", "+990-02-28", "1990-2-8", "x", "1990-02-28 "]
        {
            assert_eq!(BirthDate::parse(typed, TODAY), Err(BirthDateError::Malformed), "{typed:?}");
        }
    }
}

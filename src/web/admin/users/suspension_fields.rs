//! The fields of a suspension: one part for the forms of one user and of many.

use time::macros::format_description;
use time::{Date, OffsetDateTime};
use validator::ValidationError;

use crate::admin::Suspension;
use crate::types::{FromText, text, text_error};
use crate::web::forms::{Field, form};

/// Longest reason, in code points: a sentence or two.
const MAX_REASON: usize = 500;

form! {
    #[derive(Debug)]
    pub(crate) struct SuspensionFields {
        reason: Field<Reason>,
        until: Field<SuspendedUntil>,
    }
}

impl SuspensionFields {
    /// Returns the suspension, if both fields are readable.
    pub(crate) fn value(&self) -> Option<Suspension> {
        let (Reason(reason), SuspendedUntil(until)) = (self.reason.value()?, self.until.value()?);
        Some(Suspension { reason, until })
    }
}

/// Why an account is suspended; may be empty.
#[derive(Debug, Clone)]
struct Reason(String);

impl FromText for Reason {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
            return Err(text_error("admin.user_action.reason_malformed"));
        }
        Ok(Self(text::normalized(text).into_owned()))
    }
}

/// The end of a suspension; `None` for one without an end.
#[derive(Debug, Clone, Copy)]
struct SuspendedUntil(Option<OffsetDateTime>);

impl FromText for SuspendedUntil {
    fn from_text(text: &str, today: Date) -> Result<Self, ValidationError> {
        parse_until(text, today).map(Self).map_err(text_error)
    }
}

/// Returns the instant at which the day ends; `None` for an empty text.
fn parse_until(typed: &str, today: Date) -> Result<Option<OffsetDateTime>, &'static str> {
    if typed.is_empty() {
        return Ok(None);
    }
    let day = Date::parse(typed, format_description!("[year]-[month]-[day]")).ok();
    // The parser of `time` also accepts a sign before the year.
    let is_iso = typed.len() == 10 && typed.as_bytes()[0].is_ascii_digit();
    let day = day.filter(|_| is_iso).ok_or("admin.user_action.until_malformed")?;
    if day < today {
        return Err("admin.user_action.until_past");
    }
    // A suspension lasts until its last day is over.
    let next = day.next_day().ok_or("admin.user_action.until_malformed")?;
    Ok(Some(next.midnight().assume_utc()))
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_suspension_lasts_until_its_day_is_over() {
        let today = date!(2026 - 03 - 01);

        assert_eq!(parse_until("", today), Ok(None));
        assert_eq!(parse_until("2026-03-01", today), Ok(Some(datetime!(2026-03-02 00:00 UTC))));
        assert_eq!(parse_until("2026-02-28", today), Err("admin.user_action.until_past"));
        for typed in ["2026-2-28", "tomorrow", "2026-02-30", "+026-03-01", "9999-12-31"] {
            assert_eq!(
                parse_until(typed, today),
                Err("admin.user_action.until_malformed"),
                "{typed}"
            );
        }
    }
}

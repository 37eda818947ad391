//! What users a search finds, and how a filter is read from the parameters of a list.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::Date;
use time::macros::format_description;

use crate::types::{Email, GroupId, UserId, text};

/// Longest query, in code points: an address has at most 254.
pub const MAX_QUERY: usize = 256;

/// What users a search finds. The default finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFilter {
    /// Only this account.
    #[serde(default)]
    pub only: Option<UserId>,
    /// Terms that are all in the address or the name.
    // Bulk jobs store it under this name.
    #[serde(rename = "words")]
    pub terms: SearchTerms,
    /// Whether the account may be used.
    pub is_active: Option<bool>,
    /// Whether the user is staff.
    pub is_staff: Option<bool>,
    /// Whether the user is a superuser.
    pub is_superuser: Option<bool>,
    /// Whether the address is verified.
    pub is_verified: Option<bool>,
    /// A group of which the user is a member.
    pub group: Option<GroupId>,
    /// The first day of sign-up, in UTC.
    pub joined_from: Option<Date>,
    /// The last day of sign-up, in UTC.
    pub joined_to: Option<Date>,
}

impl UserFilter {
    /// Returns whether the filter finds all users.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The terms of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchTerms(pub(super) Vec<String>);

impl SearchTerms {
    /// Splits a query into its terms. Returns `None` when it is longer than [`MAX_QUERY`].
    #[must_use]
    pub fn parse(query: &str) -> Option<Self> {
        // `take`, so that a long text is not counted to its end.
        if query.trim().chars().take(MAX_QUERY + 1).count() > MAX_QUERY {
            return None;
        }
        let mut terms: Vec<String> = Vec::new();
        // Control characters separate too: PostgreSQL refuses text with a NUL.
        for term in query.split(|char: char| char.is_whitespace() || char.is_control()) {
            // In the form in which names and addresses are stored.
            let term = Email::stored_spelling(&text::normalized(term));
            if !term.is_empty() && !terms.contains(&term) {
                terms.push(term);
            }
        }
        Some(Self(terms))
    }

    /// Returns the terms that the index can find.
    pub(super) fn indexed(&self) -> Vec<&str> {
        // The index consists of trigrams, so shorter terms are not in it.
        let is_long = |term: &&str| term.chars().nth(2).is_some();
        self.0.iter().map(String::as_str).filter(is_long).collect()
    }
}

/// Why a text is not a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConditionError {
    #[error("neither true nor false")]
    NotBool,
    #[error("not a number")]
    NotNumber,
    /// Not a date in the form YYYY-MM-DD.
    #[error("not a day")]
    NotDate,
    /// There is no condition of this name.
    #[error("no such condition")]
    Unknown,
}

impl UserFilter {
    /// The names of all conditions but the terms.
    #[cfg(feature = "testing")]
    pub const CONDITIONS: [&'static str; 7] =
        ["is_active", "is_staff", "is_superuser", "verified", "group", "joined_from", "joined_to"];

    /// Sets one of the `CONDITIONS` from text; empty text sets none.
    pub fn set_condition(&mut self, name: &str, typed: &str) -> Result<(), ConditionError> {
        if typed.is_empty() {
            return Ok(());
        }
        match name {
            "is_active" => self.is_active = Some(parse_bool(typed)?),
            "is_staff" => self.is_staff = Some(parse_bool(typed)?),
            "is_superuser" => self.is_superuser = Some(parse_bool(typed)?),
            "verified" => self.is_verified = Some(parse_bool(typed)?),
            "group" => {
                let number = typed.parse().map_err(|_| ConditionError::NotNumber)?;
                self.group = Some(GroupId(number));
            }
            "joined_from" => self.joined_from = Some(parse_date(typed)?),
            "joined_to" => self.joined_to = Some(parse_date(typed)?),
            _ => return Err(ConditionError::Unknown),
        }
        Ok(())
    }
}

fn parse_bool(typed: &str) -> Result<bool, ConditionError> {
    typed.parse().map_err(|_| ConditionError::NotBool)
}

fn parse_date(typed: &str) -> Result<Date, ConditionError> {
    Date::parse(typed, format_description!("[year]-[month]-[day]"))
        .map_err(|_| ConditionError::NotDate)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn terms_are_separated_by_spaces() {
        let terms = |typed: &str| SearchTerms::parse(typed).expect("short").0;

        assert_eq!(terms("  ada   lovelace\tada "), ["ada", "lovelace"]);
        assert_eq!(terms("a\0b \u{1}"), ["a", "b"]);
        assert_eq!(terms("\u{1112}\u{1169}\u{11bc}"), ["홍"]);
        assert_eq!(terms("\u{feff}ada@xn--3e0b707e.kr\u{200b}"), ["ada@한국.kr"]);
        assert!(terms(" \n ").is_empty());
        assert!(SearchTerms::parse(&"x".repeat(256)).is_some());
        assert_eq!(SearchTerms::parse(&"x".repeat(257)), None);
    }

    #[test]
    fn only_terms_of_three_characters_have_an_index() {
        let terms = SearchTerms::parse("홍 길동 홍길동 ab abc").expect("short");

        assert_eq!(terms.indexed(), ["홍길동", "abc"]);
    }

    #[test]
    fn a_condition_is_set_by_its_name() {
        let mut filter = UserFilter::default();

        for (name, typed) in [
            ("is_active", "true"),
            ("is_staff", "false"),
            ("is_superuser", ""),
            ("verified", "true"),
            ("group", "7"),
            ("joined_from", "2026-02-28"),
        ] {
            assert_eq!(filter.set_condition(name, typed), Ok(()), "{name}");
        }

        let wanted = UserFilter {
            is_active: Some(true),
            is_staff: Some(false),
            is_verified: Some(true),
            group: Some(GroupId(7)),
            joined_from: Some(date!(2026 - 02 - 28)),
            ..UserFilter::default()
        };
        assert_eq!(filter, wanted);
    }

    #[test]
    fn every_condition_has_a_name_and_refuses_malformed_text() {
        for name in UserFilter::CONDITIONS {
            let mut filter = UserFilter::default();
            let refused = filter.set_condition(name, "maybe").expect_err(name);

            assert_ne!(refused, ConditionError::Unknown, "{name}");
            assert_eq!(filter, UserFilter::default(), "{name}");
        }
        assert_eq!(
            UserFilter::default().set_condition("password", "x"),
            Err(ConditionError::Unknown)
        );
        assert_eq!(
            UserFilter::default().set_condition("joined_to", "2026-02-30"),
            Err(ConditionError::NotDate)
        );
    }
}

//! The orders of a list of users, and the cursors that mark a position in one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::summary::UserSummary;
use crate::clock::to_micros;

/// The value by which users are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortKey {
    Email,
    CreatedAt,
    LastLoginAt,
}

/// An order of users. Users who never logged in come before all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortOrder {
    pub(super) key: SortKey,
    pub(super) is_descending: bool,
}

impl Default for SortOrder {
    fn default() -> Self {
        // The newest users first.
        Self { key: SortKey::CreatedAt, is_descending: true }
    }
}

impl SortOrder {
    /// Every order with its name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("email", Self { key: SortKey::Email, is_descending: false }),
        ("-email", Self { key: SortKey::Email, is_descending: true }),
        ("created_at", Self { key: SortKey::CreatedAt, is_descending: false }),
        ("-created_at", Self { key: SortKey::CreatedAt, is_descending: true }),
        ("last_login_at", Self { key: SortKey::LastLoginAt, is_descending: false }),
        ("-last_login_at", Self { key: SortKey::LastLoginAt, is_descending: true }),
    ];

    /// Returns the order with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, sort)| sort)
    }

    /// Returns the name of the order.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, sort)| *sort == self).map_or("", |(name, _)| name)
    }
}

/// The value of a sort key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SortValue {
    Text(String),
    Number(i64),
}

/// A position in an order, next to a user, whether or not that user still exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(super) value: SortValue,
    pub(super) id: i64,
}

impl Cursor {
    /// Returns the position of a user.
    #[must_use]
    pub fn of(row: &UserSummary, sort: SortOrder) -> Self {
        let value = match sort.key {
            SortKey::Email => SortValue::Text(row.email_canonical.clone()),
            SortKey::CreatedAt => SortValue::Number(to_micros(row.created_at)),
            SortKey::LastLoginAt => SortValue::Number(row.last_login_at.map_or(0, to_micros)),
        };
        Self { value, id: row.id.0 }
    }

    /// Returns the cursor as text for a URL.
    #[must_use]
    pub fn encode(&self) -> String {
        let (kind, value) = match &self.value {
            SortValue::Text(text) => ('t', text.clone()),
            SortValue::Number(number) => ('n', number.to_string()),
        };
        // The value last: an address may contain a space, and `parse` splits at the first two.
        URL_SAFE_NO_PAD.encode(format!("{kind} {} {value}", self.id))
    }

    /// Parses a cursor. Returns `None` when it is malformed, or belongs to an order by another key.
    #[must_use]
    pub fn parse(text: &str, sort: SortOrder) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        let (kind, id, value) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let value = match (kind, sort.key) {
            // Clients can write any cursor, and PostgreSQL refuses text with a NUL.
            ("t", SortKey::Email) if !value.contains('\0') => SortValue::Text(value.to_owned()),
            ("n", SortKey::CreatedAt | SortKey::LastLoginAt) => {
                SortValue::Number(value.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { value, id })
    }
}

/// Where in the order a page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CursorPosition {
    /// At the beginning.
    #[default]
    Start,
    /// After a cursor.
    After(Cursor),
    /// Before a cursor; the page is read backwards.
    Before(Cursor),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written_and_only_in_its_order() {
        let email = Cursor { value: SortValue::Text("a b@example.com".into()), id: 7 };
        let instant = Cursor { value: SortValue::Number(-5), id: 8 };

        let by = |name| SortOrder::parse(name).expect("an order");
        assert_eq!(Cursor::parse(&email.encode(), by("-email")), Some(email.clone()));
        assert_eq!(Cursor::parse(&instant.encode(), by("last_login_at")), Some(instant.clone()));
        assert_eq!(Cursor::parse(&email.encode(), by("created_at")), None);
        assert_eq!(Cursor::parse(&instant.encode(), by("email")), None);
        for malformed in ["", "%", "bnVsbA", "biAx", &URL_SAFE_NO_PAD.encode("t 1 \0")] {
            assert_eq!(Cursor::parse(malformed, by("email")), None, "{malformed}");
        }
    }

    #[test]
    fn an_order_reads_back_as_it_was_written() {
        for (name, sort) in SortOrder::ALL {
            assert_eq!((SortOrder::parse(name), sort.as_str()), (Some(sort), name));
        }
        assert_eq!(
            (SortOrder::parse("password_hash"), SortOrder::default().as_str()),
            (None, "-created_at")
        );
    }
}

//! The query of the list of users: its search, filters, order and position, as the URL has them.

use rocket::form::FromForm;
use url::form_urlencoded;

use crate::accounts::search::{Cursor, CursorPosition, SearchTerms, SortOrder, UserFilter};
use crate::http::query_text::QueryText;

/// The query as text, as the URL has it. The page says what cannot be read.
#[derive(Default, FromForm)]
pub(crate) struct UserQuery {
    pub q: QueryText,
    pub is_active: QueryText,
    pub is_staff: QueryText,
    pub is_superuser: QueryText,
    pub verified: QueryText,
    pub group: QueryText,
    pub joined_from: QueryText,
    pub joined_to: QueryText,
    pub sort: QueryText,
    after: QueryText,
    before: QueryText,
}

/// The parsed query.
pub(crate) struct ParsedUserQuery {
    /// The filter; `None` when the search is too long.
    pub filter: Option<UserFilter>,
    /// The order.
    pub sort: SortOrder,
    /// The position from which the list goes on.
    pub position: CursorPosition,
    /// The keys of what cannot be read.
    pub errors: Vec<&'static str>,
}

impl UserQuery {
    /// Parses the query, and clears the fields that it cannot read.
    pub(crate) fn parse(&mut self) -> ParsedUserQuery {
        let mut errors = Vec::new();
        let has_unreadable = &mut false;
        let mut filter = UserFilter::default();
        for (name, text) in self.conditions() {
            if filter.set_condition(name, text).is_err() {
                *has_unreadable = true;
                text.clear();
            }
        }
        let sort =
            parse_or_clear(&mut self.sort, has_unreadable, SortOrder::parse).unwrap_or_default();
        let cursor = |text: &str| Cursor::parse(text, sort);
        let after =
            parse_or_clear(&mut self.after, has_unreadable, cursor).map(CursorPosition::After);
        let before =
            parse_or_clear(&mut self.before, has_unreadable, cursor).map(CursorPosition::Before);
        if *has_unreadable {
            errors.push("admin.users.filters_ignored");
        }
        let filter = match SearchTerms::parse(&self.q) {
            Some(words) => {
                filter.terms = words;
                Some(filter)
            }
            None => {
                // Not without the terms, which would list other users than were asked for.
                self.q.clear();
                errors.push("admin.users.search_too_long");
                None
            }
        };
        ParsedUserQuery { filter, sort, position: after.or(before).unwrap_or_default(), errors }
    }

    /// Returns the fields that [`UserFilter::set_condition`] reads.
    fn conditions(&mut self) -> [(&'static str, &mut String); 7] {
        [
            ("is_active", &mut self.is_active),
            ("is_staff", &mut self.is_staff),
            ("is_superuser", &mut self.is_superuser),
            ("verified", &mut self.verified),
            ("group", &mut self.group),
            ("joined_from", &mut self.joined_from),
            ("joined_to", &mut self.joined_to),
        ]
    }

    pub(super) fn filters(&self) -> [(&'static str, &str); 8] {
        [
            ("q", &self.q),
            ("is_active", &self.is_active),
            ("is_staff", &self.is_staff),
            ("is_superuser", &self.is_superuser),
            ("verified", &self.verified),
            ("group", &self.group),
            ("joined_from", &self.joined_from),
            ("joined_to", &self.joined_to),
        ]
    }

    /// Returns the URL of the same filter in some order, from some position on.
    pub(super) fn link(&self, path: &str, sort: SortOrder, position: &[(&str, String)]) -> String {
        let mut serializer = form_urlencoded::Serializer::new(String::new());
        serializer.extend_pairs(self.filters().iter().filter(|(_, value)| !value.is_empty()));
        if sort != SortOrder::default() {
            serializer.append_pair("sort", sort.as_str());
        }
        serializer.extend_pairs(position);
        let query = serializer.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

/// Parses a text. An unreadable one is cleared and noted.
fn parse_or_clear<T>(
    text: &mut String,
    has_unreadable: &mut bool,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let found = read(text);
    if found.is_none() && !text.is_empty() {
        *has_unreadable = true;
        text.clear();
    }
    found
}

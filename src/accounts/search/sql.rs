//! The SQL of a search, spelled out because each engine needs its own form.

use std::sync::LazyLock;

use time::{Date, Time};

use super::SearchBounds;
use super::filter::UserFilter;
use super::order::{CursorPosition, SortKey, SortOrder, SortValue};
use crate::clock::to_micros;
use crate::db::QueryBuilder;
use crate::types::ProfileField;

/// What a [`UserSummary`](super::UserSummary) and the conditions need.
pub(super) static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let profile: Vec<_> =
        ProfileField::ALL.iter().map(|it| format!(", u.{}", it.as_str())).collect();
    let profile = profile.concat();
    format!(
        "u.id, u.email, u.email_canonical, u.is_active, u.is_staff, u.is_superuser, \
         u.email_verified_at, u.last_login_at, u.created_at, u.updated_at{profile}"
    )
});

/// The index of the first profile field among the columns.
pub(super) const FIRST_PROFILE_COLUMN: usize = 10;

/// The condition from which a search starts: one that an index answers, the narrowest first.
pub(super) enum CandidateSource {
    OneUser,
    Terms,
    Group,
    Superusers,
    Staff,
    Inactive,
    Unverified,
    SignupOutcome,
    AllUsers,
}

pub(super) fn candidate_source(filter: &UserFilter) -> CandidateSource {
    if filter.only.is_some() {
        CandidateSource::OneUser
    } else if !filter.terms.indexed().is_empty() {
        CandidateSource::Terms
    } else if filter.group.is_some() {
        CandidateSource::Group
    } else if filter.is_superuser == Some(true) {
        CandidateSource::Superusers
    } else if filter.is_staff == Some(true) {
        CandidateSource::Staff
    } else if filter.is_active == Some(false) {
        CandidateSource::Inactive
    } else if filter.is_verified == Some(false) {
        CandidateSource::Unverified
    } else if filter.joined_from.is_some() || filter.joined_to.is_some() {
        CandidateSource::SignupOutcome
    } else {
        CandidateSource::AllUsers
    }
}

/// Selects the IDs of the candidates: the users for whom the first condition holds, of whom not all match.
pub(super) fn candidates(
    filter: &UserFilter,
    bounds: SearchBounds,
    query: &mut QueryBuilder,
) -> String {
    let from = match candidate_source(filter) {
        CandidateSource::OneUser => {
            let only = query.bind(filter.only.map(|only| only.0));
            format!("SELECT id FROM users WHERE id = {only}")
        }
        CandidateSource::Terms => by_index(&filter.terms.indexed(), query),
        CandidateSource::Group => {
            let group = query.bind(filter.group.map(|group| group.0));
            format!("SELECT user_id AS id FROM group_members WHERE group_id = {group}")
        }
        CandidateSource::Superusers => "SELECT id FROM users WHERE is_superuser".to_owned(),
        CandidateSource::Staff => "SELECT id FROM users WHERE is_staff".to_owned(),
        CandidateSource::Inactive => "SELECT id FROM users WHERE NOT is_active".to_owned(),
        CandidateSource::Unverified => {
            "SELECT id FROM users WHERE email_verified_at IS NULL".to_owned()
        }
        CandidateSource::SignupOutcome => {
            format!("SELECT u.id FROM users u WHERE {}", joined(filter, query).join(" AND "))
        }
        CandidateSource::AllUsers => "SELECT id FROM users".to_owned(),
    };
    let one_more = query.bind(number(bounds.candidates + 1));
    format!("WITH c AS MATERIALIZED ({from} LIMIT {one_more})")
}

/// Selects the users with all of these terms, by the trigram index.
fn by_index(terms: &[&str], query: &mut QueryBuilder) -> String {
    if query.is_postgres() {
        let is_in: Vec<_> = terms.iter().map(|word| is_in_text(word, query)).collect();
        return format!("SELECT id FROM users_search WHERE {}", is_in.join(" AND "));
    }
    // Each a string, in which only the quotation mark is special: no operator gets through.
    let strings = terms.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\"")));
    let query = query.bind(strings.collect::<Vec<_>>().join(" "));
    format!("SELECT rowid AS id FROM users_search WHERE users_search MATCH {query}")
}

/// Returns the condition that PostgreSQL's text contains a term. Its index reads all users of each trigram,
/// and most trigrams of an address are common to many. So only the distinctive ones are looked up, and the
/// rest is compared afterwards.
fn is_in_text(word: &str, query: &mut QueryBuilder) -> String {
    let Some(end) = distinctive_end(word) else {
        let pattern = query.bind(like(word));
        return format!("text LIKE lower({pattern})");
    };
    let (pattern, word) = (query.bind(like(end)), query.bind(word));
    format!("text LIKE lower({pattern}) AND strpos(text, lower({word})) > 0")
}

/// Returns what distinguishes an address: the characters before its `@`, which are often digits, if there
/// are enough of them in a row to narrow the search.
fn distinctive_end(word: &str) -> Option<&str> {
    let (local, _) = word.split_once('@')?;
    let signs = local.chars().rev().take_while(|char| char.is_alphanumeric());
    let signs: Vec<_> = signs.take(8).map(char::len_utf8).collect();
    let start = local.len() - signs.iter().sum::<usize>();
    (signs.len() >= 5).then(|| &word[start..=local.len()])
}

/// Returns all conditions on a row of `users u`. With `but_start`, those are left out that already hold for
/// the candidates.
pub(super) fn conditions(
    filter: &UserFilter,
    but_start: bool,
    query: &mut QueryBuilder,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut flag = |is: Option<bool>, column: &str, is_known: bool| {
        if let Some(is) = is
            && !is_known
        {
            all.push(format!("{}u.{column}", if is { "" } else { "NOT " }));
        }
    };
    let started = |from: fn(&CandidateSource) -> bool| but_start && from(&candidate_source(filter));
    flag(filter.is_active, "is_active", started(|it| matches!(it, CandidateSource::Inactive)));
    flag(filter.is_staff, "is_staff", started(|it| matches!(it, CandidateSource::Staff)));
    flag(
        filter.is_superuser,
        "is_superuser",
        started(|it| matches!(it, CandidateSource::Superusers)),
    );
    if let Some(only) = filter.only
        && !started(|it| matches!(it, CandidateSource::OneUser))
    {
        let only = query.bind(only.0);
        all.push(format!("u.id = {only}"));
    }
    if let Some(is) = filter.is_verified
        && !started(|it| matches!(it, CandidateSource::Unverified))
    {
        all.push(format!("u.email_verified_at IS {}NULL", if is { "NOT " } else { "" }));
    }
    if let Some(group) = filter.group
        && !started(|it| matches!(it, CandidateSource::Group))
    {
        let group = query.bind(group.0);
        all.push(format!(
            "EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = {group} AND m.user_id = u.id)"
        ));
    }
    if !started(|it| matches!(it, CandidateSource::SignupOutcome)) {
        all.extend(joined(filter, query));
    }
    let are_indexed_known = started(|it| matches!(it, CandidateSource::Terms));
    let indexed = filter.terms.indexed();
    for word in &filter.terms.0 {
        if !(are_indexed_known && indexed.contains(&word.as_str())) {
            all.push(has_word(word, query));
        }
    }
    all
}

fn joined(filter: &UserFilter, query: &mut QueryBuilder) -> Vec<String> {
    let midnight = |date: Date| to_micros(date.with_time(Time::MIDNIGHT).assume_utc());
    let mut all = Vec::new();
    if let Some(from) = filter.joined_from {
        let from = query.bind(midnight(from));
        all.push(format!("u.created_at >= {from}"));
    }
    // Nobody has signed up after the last day that the calendar knows.
    if let Some(after) = filter.joined_to.and_then(Date::next_day) {
        let after = query.bind(midnight(after));
        all.push(format!("u.created_at < {after}"));
    }
    if all.is_empty() && filter.joined_to.is_some() {
        all.push("u.id IS NOT NULL".to_owned());
    }
    all
}

/// Returns the condition that the address or the name contains a term. A term has no space, so on PostgreSQL
/// both can be searched as one text.
fn has_word(word: &str, query: &mut QueryBuilder) -> String {
    if query.is_postgres() {
        let pattern = query.bind(like(word));
        return format!("lower(u.email || ' ' || u.name) LIKE lower({pattern})");
    }
    let pattern = query.bind(glob(word));
    format!("(u.email GLOB {pattern} OR u.name GLOB {pattern})")
}

/// Returns the LIKE pattern for a term anywhere, with special characters escaped.
fn like(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{word}%")
}

/// Returns the GLOB pattern for a term anywhere, in upper or lower case. SQLite's LIKE knows only the case of
/// A to Z, so each letter with a case becomes the set of both; a set of one escapes a special character.
fn glob(word: &str) -> String {
    let mut pattern = String::from("*");
    for char in word.chars() {
        let mut set = vec![char];
        let folded = [single(char.to_lowercase()), single(char.to_uppercase())];
        for other in folded.into_iter().flatten() {
            if !set.contains(&other) {
                set.push(other);
            }
        }
        if set.len() > 1 || matches!(char, '*' | '?' | '[') {
            pattern.push('[');
            pattern.extend(set);
            pattern.push(']');
        } else {
            pattern.push(char);
        }
    }
    pattern.push('*');
    pattern
}

fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    if chars.next().is_some() { None } else { first }
}

/// Returns the expression by which rows are sorted, spelled as in the indexes.
pub(super) fn key(sort: SortOrder) -> &'static str {
    match sort.key {
        SortKey::Email => "u.email_canonical",
        SortKey::CreatedAt => "u.created_at",
        SortKey::LastLoginAt => "COALESCE(u.last_login_at, 0)",
    }
}

/// Returns the condition at which an order begins, and the order itself. Canonical addresses are unique and
/// need no second key.
pub(super) fn order(
    sort: SortOrder,
    position: &CursorPosition,
    query: &mut QueryBuilder,
) -> (Option<String>, String) {
    let is_back = matches!(position, CursorPosition::Before(_));
    let is_down = sort.is_descending != is_back;
    let (sign, word) = if is_down { ("<", "DESC") } else { (">", "ASC") };
    let key = key(sort);
    let order = match sort.key {
        SortKey::Email => format!("ORDER BY {key} {word}"),
        SortKey::CreatedAt | SortKey::LastLoginAt => format!("ORDER BY {key} {word}, u.id {word}"),
    };
    let begin = match position {
        CursorPosition::Start => None,
        CursorPosition::After(cursor) | CursorPosition::Before(cursor) => {
            Some(match &cursor.value {
                SortValue::Text(text) => {
                    let text = query.bind(text.as_str());
                    format!("{key} {sign} {text}")
                }
                SortValue::Number(number) => {
                    let (number, id) = (query.bind(*number), query.bind(cursor.id));
                    format!("({key}, u.id) {sign} ({number}, {id})")
                }
            })
        }
    };
    (begin, order)
}

/// Joins the candidates with their rows, looked up one by one. A planner that expects few matches among the
/// others would read all users instead: CROSS JOIN makes SQLite start from the candidates, and a subquery
/// that cannot be flattened makes PostgreSQL do so.
pub(super) fn lookup_of_candidates(query: &QueryBuilder) -> &'static str {
    if query.is_postgres() {
        "c CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = c.id OFFSET 0) AS u"
    } else {
        "c CROSS JOIN users u"
    }
}

/// Selects the rows of a window, sorted; at most `at_most` are needed. Where users are sorted by sign-up, the
/// days of the filter limit the window.
pub(super) fn in_order(
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    at_most: &str,
    query: &mut QueryBuilder,
) -> String {
    let days = if sort.key == SortKey::CreatedAt { joined(filter, query) } else { Vec::new() };
    let some = |mut all: Vec<String>| {
        all.extend(days.iter().cloned());
        if all.is_empty() { String::new() } else { format!("WHERE {}", all.join(" AND ")) }
    };
    let columns = COLUMNS.as_str();
    let is_split = !query.is_postgres() && sort.key != SortKey::Email;
    let (CursorPosition::After(cursor) | CursorPosition::Before(cursor), true) =
        (position, is_split)
    else {
        let (begin, order) = order(sort, position, query);
        return format!("FROM users u {} {order}", some(Vec::from_iter(begin)));
    };
    // SQLite does not search an index for a pair whose second part is the row ID: it would read all rows that
    // share the first part. So those are selected first, by ID, and then the others.
    let is_back = matches!(position, CursorPosition::Before(_));
    let (sign, word) = if sort.is_descending == is_back { (">", "ASC") } else { ("<", "DESC") };
    let key = key(sort);
    let order = format!("ORDER BY {key} {word}, u.id {word}");
    let value = match &cursor.value {
        SortValue::Number(number) => query.bind(*number),
        SortValue::Text(text) => query.bind(text.as_str()),
    };
    let id = query.bind(cursor.id);
    let ties = some(vec![format!("{key} = {value}"), format!("u.id {sign} {id}")]);
    let others = some(vec![format!("{key} {sign} {value}")]);
    format!(
        "FROM (SELECT * FROM (SELECT {columns} FROM users u {ties} ORDER BY u.id {word} \
         LIMIT {at_most}) UNION ALL SELECT * FROM (SELECT {columns} FROM users u {others} {order} \
         LIMIT {at_most})) AS u"
    )
}

pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_distinguished_by_what_precedes_its_at() {
        for (word, end) in [
            ("person12345@example.com", Some("son12345@")),
            ("min.jun12345@naver.com", Some("jun12345@")),
            ("nguyễnvăn@example.com", Some("guyễnvăn@")),
            ("ab123@", Some("ab123@")),
            ("min.kim@naver.com", None),
            ("info@naver.com", None),
            ("@naver.com", None),
            ("person12345", None),
        ] {
            assert_eq!(distinctive_end(word), end, "{word}");
        }
    }

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(like(r"50%_\"), r"%50\%\_\\%");
        assert_eq!(glob("a*[?]^-"), "*[aA][*][[][?]]^-*");
        assert_eq!(glob("홍길동"), "*홍길동*");
        assert_eq!(glob("ßé"), "*ß[éÉ]*");
    }
}

//! The order of a search, and where in it a page begins.
//!
//! Each order has an index, so that a page reads only its own rows.

use super::columns::COLUMNS;
use super::signup_days::joined;
use crate::accounts::search::filter::UserFilter;
use crate::accounts::search::order::{CursorPosition, SortKey, SortOrder, SortValue};
use crate::db::QueryBuilder;

/// Returns the expression by which rows are sorted.
pub(in crate::accounts::search) fn key(sort: SortOrder) -> &'static str {
    // Spelled as in the indexes, or the planner would not use those.
    match sort.key {
        SortKey::Email => "u.email_canonical",
        SortKey::CreatedAt => "u.created_at",
        SortKey::LastLoginAt => "COALESCE(u.last_login_at, 0)",
    }
}

/// Returns the condition at which an order begins, and the order itself.
pub(in crate::accounts::search) fn order(
    sort: SortOrder,
    position: &CursorPosition,
    query: &mut QueryBuilder,
) -> (Option<String>, String) {
    let is_back = matches!(position, CursorPosition::Before(_));
    let is_down = sort.is_descending != is_back;
    let (sign, word) = if is_down { ("<", "DESC") } else { (">", "ASC") };
    let key = key(sort);
    let order = match sort.key {
        // Canonical addresses are unique and need no second key.
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

/// Selects the rows of a window, sorted; at most `at_most` are needed.
pub(in crate::accounts::search) fn in_order(
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    at_most: &str,
    query: &mut QueryBuilder,
) -> String {
    // Sorted by sign-up, the days of the filter are a part of the index that is read.
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
    // SQLite does not search an index for a pair whose second part is the row ID: it would read all
    // rows that share the first part. So those are selected first, by ID, and then the others.
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

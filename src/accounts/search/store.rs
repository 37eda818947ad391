//! Queries that find people. They are written out, because each engine is spoken to in its own way.

use std::sync::LazyLock;

use sea_orm::{ConnectionTrait as _, DbBackend, DbErr, QueryResult, Statement, Value};
use time::{Date, Time};

use super::{
    Cursor, CursorPosition, MAX_COUNT, SearchBounds, SearchPlan, SortKey, SortOrder, SortValue,
    UserFilter, UserSummary,
};
use crate::clock::{from_micros, to_micros};
use crate::db::{Db, DbError};
use crate::types::{Profile, ProfileField, UserId};

/// What [`row`] reads and conditions ask for.
static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let profile: String =
        ProfileField::ALL.iter().map(|it| format!(", u.{}", it.as_str())).collect();
    format!(
        "u.id, u.email, u.email_canonical, u.is_active, u.is_staff, u.is_superuser, \
         u.email_verified_at, u.last_login_at, u.created_at, u.updated_at{profile}"
    )
});

/// The index of the first profile field among the columns.
const FIRST_PROFILE_COLUMN: usize = 10;

/// A statement in the making: the values that stand for `$1`, `$2`, ...
struct QueryBuilder {
    backend: DbBackend,
    values: Vec<Value>,
}

impl QueryBuilder {
    fn of(db: &Db) -> Self {
        Self { backend: db.reader().get_database_backend(), values: Vec::new() }
    }

    fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn statement(self, sql: String) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, self.values)
    }
}

/// Where a search starts: a condition that an index answers, the narrowest first.
enum CandidateSource {
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

fn candidate_source(filter: &UserFilter) -> CandidateSource {
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

pub(super) fn is_unfiltered(filter: &UserFilter) -> bool {
    *filter == UserFilter::default()
}

/// The numbers of those from whom the search starts, and some who only may match.
fn candidates(filter: &UserFilter, bounds: SearchBounds, query: &mut QueryBuilder) -> String {
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

/// Whoever has all of these words, by the index of three-letter pieces.
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

/// Whether PostgreSQL's text has a word. It reads the whole list of people for each piece that it is
/// asked for, and in an address most pieces are everybody's: so it is asked for those that tell people
/// apart, and what that points to is compared with the rest.
fn is_in_text(word: &str, query: &mut QueryBuilder) -> String {
    let Some(end) = distinctive_end(word) else {
        let pattern = query.bind(like(word));
        return format!("text LIKE lower({pattern})");
    };
    let (pattern, word) = (query.bind(like(end)), query.bind(word));
    format!("text LIKE lower({pattern}) AND strpos(text, lower({word})) > 0")
}

/// What tells an address apart: the last signs before its `@`, where numbers stand, if there are
/// enough of them in a row to narrow anything.
fn distinctive_end(word: &str) -> Option<&str> {
    let (local, _) = word.split_once('@')?;
    let signs = local.chars().rev().take_while(|char| char.is_alphanumeric());
    let signs: Vec<_> = signs.take(8).map(char::len_utf8).collect();
    let start = local.len() - signs.iter().sum::<usize>();
    (signs.len() >= 5).then(|| &word[start..=local.len()])
}

/// All conditions on a row of `users u`. With `but_start` those are left out that the candidates
/// fulfil already.
fn conditions(filter: &UserFilter, but_start: bool, query: &mut QueryBuilder) -> Vec<String> {
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
    // The day after the last day that can be told has not come for anybody.
    if let Some(after) = filter.joined_to.and_then(Date::next_day) {
        let after = query.bind(midnight(after));
        all.push(format!("u.created_at < {after}"));
    }
    if all.is_empty() && filter.joined_to.is_some() {
        all.push("u.id IS NOT NULL".to_owned());
    }
    all
}

/// Whether the address or the name has a word. It has no space, so on PostgreSQL both are one text.
fn has_word(word: &str, query: &mut QueryBuilder) -> String {
    if query.is_postgres() {
        let pattern = query.bind(like(word));
        return format!("lower(u.email || ' ' || u.name) LIKE lower({pattern})");
    }
    let pattern = query.bind(glob(word));
    format!("(u.email GLOB {pattern} OR u.name GLOB {pattern})")
}

/// A word anywhere; what is special to LIKE stands for itself.
fn like(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{word}%")
}

/// A word anywhere, in upper or lower letters. SQLite's LIKE knows only the case of A to Z, so each
/// e-mail with a case becomes the set of both; a set of one is how a special sign stands for itself.
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

/// What rows are sorted by, as the indexes have it.
fn key(sort: SortOrder) -> &'static str {
    match sort.key {
        SortKey::Email => "u.email_canonical",
        SortKey::CreatedAt => "u.created_at",
        SortKey::LastLoginAt => "COALESCE(u.last_login_at, 0)",
    }
}

/// The order in which rows are read, and where it begins. Canonical addresses are unique and need no
/// second key.
fn order(
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

/// The candidates with their rows, looked up one by one. A planner that thinks that few of the others
/// match would rather read everybody: SQLite is told by CROSS JOIN to start from the candidates, and
/// PostgreSQL by a subquery that it may not take apart.
fn lookup_of_candidates(query: &QueryBuilder) -> &'static str {
    if query.is_postgres() {
        "c CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = c.id OFFSET 0) AS u"
    } else {
        "c CROSS JOIN users u"
    }
}

/// How many candidates there are, and how many of them match; one more than the bounds is "more".
pub(super) async fn count(
    db: &Db,
    filter: &UserFilter,
    bounds: SearchBounds,
) -> Result<(u64, u64), DbError> {
    let (columns, mut query) = (COLUMNS.as_str(), QueryBuilder::of(db));
    if is_unfiltered(filter) {
        let enough = query.bind(number(MAX_COUNT + 1));
        let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM users LIMIT {enough}) AS m");
        let matches = numbers(db, query.statement(sql), 1).await?[0];
        // The order has an index: walking it costs a page.
        return Ok((u64::MAX, matches));
    }
    if matches!(candidate_source(filter), CandidateSource::AllUsers) {
        // No index has to be asked who they are: they are read as they lie.
        let one_more = query.bind(number(bounds.candidates + 1));
        let conditions = conditions(filter, true, &mut query).join(" AND ");
        let sql = format!(
            "SELECT COUNT(*), COUNT(*) FILTER (WHERE {conditions}) \
             FROM (SELECT {columns} FROM users u LIMIT {one_more}) AS u"
        );
        let found = numbers(db, query.statement(sql), 2).await?;
        return Ok((found[0], found[1]));
    }
    let with = candidates(filter, bounds, &mut query);
    let conditions = conditions(filter, true, &mut query);
    if conditions.is_empty() {
        let sql = format!("{with} SELECT COUNT(*) FROM c");
        let candidates = numbers(db, query.statement(sql), 1).await?[0];
        return Ok((candidates, candidates));
    }
    let enough = query.bind(number(MAX_COUNT + 1));
    let rows = lookup_of_candidates(&query);
    let sql = format!(
        "{with} SELECT (SELECT COUNT(*) FROM c), (SELECT COUNT(*) FROM (SELECT 1 FROM {rows} \
         WHERE u.id = c.id AND {} LIMIT {enough}) AS m)",
        conditions.join(" AND ")
    );
    let found = numbers(db, query.statement(sql), 2).await?;
    Ok((found[0], found[1]))
}

/// Rows in the order in which they are read: backward from a place before which they stand.
pub(super) async fn list(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    (plan, bounds): (SearchPlan, SearchBounds),
    limit: u64,
) -> Result<Vec<UserSummary>, DbError> {
    let (columns, mut query) = (COLUMNS.as_str(), QueryBuilder::of(db));
    let sql = match plan {
        SearchPlan::SortCandidates => {
            let with = candidates(filter, bounds, &mut query);
            let mut all = vec!["u.id = c.id".to_owned()];
            all.extend(conditions(filter, true, &mut query));
            let (begin, order) = order(sort, position, &mut query);
            all.extend(begin);
            let limit = query.bind(number(limit));
            let (rows, all) = (lookup_of_candidates(&query), all.join(" AND "));
            format!("{with} SELECT {columns} FROM {rows} WHERE {all} {order} LIMIT {limit}")
        }
        SearchPlan::ScanWindow if is_unfiltered(filter) => {
            let limit = query.bind(number(limit));
            let rows = in_order(filter, sort, position, &limit, &mut query);
            format!("SELECT {columns} {rows} LIMIT {limit}")
        }
        SearchPlan::ScanWindow => {
            // The rows of the window come in its order on both engines. Asking for that order once
            // more would make SQLite read the whole window before it answers.
            let window = query.bind(number(bounds.window));
            let rows = in_order(filter, sort, position, &window, &mut query);
            let all = conditions(filter, false, &mut query).join(" AND ");
            let limit = query.bind(number(limit));
            format!(
                "SELECT {columns} FROM (SELECT {columns} {rows} LIMIT {window}) AS u \
                 WHERE {all} LIMIT {limit}"
            )
        }
    };
    let rows = db.reader().query_all_raw(query.statement(sql)).await?;
    rows.iter().map(row).collect()
}

/// The rows of a walk, sorted; no more than `at_most` are asked for. Where the order is that of
/// joining, the days asked for are its bounds.
fn in_order(
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
    // SQLite does not look for a pair in an index when its second part is the row's number: it would
    // read all who share the first. So those who do come first, by number, and then the others.
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

/// The last row that a window holds, if it is full. It is skipped to over the index alone, and never
/// further than the window is wide.
pub(super) async fn find_end_of_window(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    window: u64,
) -> Result<Option<Cursor>, DbError> {
    let mut query = QueryBuilder::of(db);
    let at_most = query.bind(number(window));
    let rows = in_order(filter, sort, position, &at_most, &mut query);
    let before_last = query.bind(number(window.saturating_sub(1)));
    let key = key(sort);
    let sql = format!("SELECT {key}, u.id {rows} LIMIT 1 OFFSET {before_last}");
    let Some(row) = db.reader().query_one_raw(query.statement(sql)).await? else { return Ok(None) };
    let value = match sort.key {
        SortKey::Email => SortValue::Text(row.try_get_by_index(0)?),
        SortKey::CreatedAt | SortKey::LastLoginAt => SortValue::Number(row.try_get_by_index(0)?),
    };
    Ok(Some(Cursor { value, id: row.try_get_by_index(1)? }))
}

/// Matching numbers after one and up to another, in their order.
pub(super) async fn list_ids(
    db: &Db,
    filter: &UserFilter,
    (after, end): (UserId, UserId),
    limit: u64,
) -> Result<Vec<UserId>, DbError> {
    let mut query = QueryBuilder::of(db);
    let (after, end) = (query.bind(after.0), query.bind(end.0));
    let mut all = vec![format!("u.id > {after}"), format!("u.id <= {end}")];
    all.extend(conditions(filter, false, &mut query));
    let limit = query.bind(number(limit));
    let all = all.join(" AND ");
    let sql = format!("SELECT u.id FROM users u WHERE {all} ORDER BY u.id LIMIT {limit}");
    let rows = db.reader().query_all_raw(query.statement(sql)).await?;
    rows.iter().map(|row| Ok(UserId(row.try_get_by_index(0)?))).collect()
}

async fn numbers(db: &Db, statement: Statement, count: usize) -> Result<Vec<u64>, DbError> {
    let row = db.reader().query_one_raw(statement).await?;
    let mut numbers = Vec::new();
    for index in 0..count {
        let number: i64 = match &row {
            Some(row) => row.try_get_by_index(index)?,
            None => 0,
        };
        numbers.push(u64::try_from(number).unwrap_or_default());
    }
    Ok(numbers)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn row(row: &QueryResult) -> Result<UserSummary, DbError> {
    let id: i64 = row.try_get_by_index(0)?;
    let verified_at: Option<i64> = row.try_get_by_index(6)?;
    let last_login_at: Option<i64> = row.try_get_by_index(7)?;
    let mut profile = Profile::default();
    for (offset, field) in ProfileField::ALL.iter().enumerate() {
        let stored: Option<String> = row.try_get_by_index(FIRST_PROFILE_COLUMN + offset)?;
        if !profile.set_stored(*field, stored.as_deref()) {
            return Err(DbErr::Type(format!("users.{} of {id}", field.as_str())).into());
        }
    }
    Ok(UserSummary {
        id: UserId(id),
        email: row.try_get_by_index(1)?,
        email_canonical: row.try_get_by_index(2)?,
        is_active: row.try_get_by_index(3)?,
        is_staff: row.try_get_by_index(4)?,
        is_superuser: row.try_get_by_index(5)?,
        is_verified: verified_at.is_some(),
        last_login_at: last_login_at.map(from_micros),
        created_at: from_micros(row.try_get_by_index(8)?),
        updated_at: from_micros(row.try_get_by_index(9)?),
        profile,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_apart_by_what_stands_before_its_at() {
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
    fn signs_stand_for_themselves() {
        assert_eq!(like(r"50%_\"), r"%50\%\_\\%");
        assert_eq!(glob("a*[?]^-"), "*[aA][*][[][?]]^-*");
        assert_eq!(glob("홍길동"), "*홍길동*");
        assert_eq!(glob("ßé"), "*ß[éÉ]*");
    }
}

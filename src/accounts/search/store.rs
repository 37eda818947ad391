//! Queries that find users.

use sea_orm::{ConnectionTrait as _, DbErr, QueryResult, Statement};

use super::order::{SortKey, SortValue};
use super::sql::{
    COLUMNS, CandidateSource, FIRST_PROFILE_COLUMN, candidate_source, candidates, conditions,
    in_order, key, lookup_of_candidates, number, order,
};
use super::{
    Cursor, CursorPosition, MAX_COUNT, SearchBounds, SearchPlan, SortOrder, UserFilter, UserSummary,
};
use crate::clock::from_micros;
use crate::db::{Db, DbError, QueryBuilder};
use crate::types::{Profile, ProfileField, UserId};

/// Counts the candidates and the matches among them, each up to one more than the bounds.
pub(super) async fn count(
    db: &Db,
    filter: &UserFilter,
    bounds: SearchBounds,
) -> Result<(u64, u64), DbError> {
    let (columns, mut query) = (COLUMNS.as_str(), QueryBuilder::new(db));
    if filter.is_empty() {
        let enough = query.bind(number(MAX_COUNT + 1));
        let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM users LIMIT {enough}) AS m");
        let matches = numbers(db, query.statement(sql), 1).await?[0];
        // More candidates than any bound: the order has an index, so a page costs only its own
        // rows.
        return Ok((u64::MAX, matches));
    }
    if matches!(candidate_source(filter), CandidateSource::AllUsers) {
        // No index narrows the search, so rows are read as they are stored.
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

/// Returns rows in the order in which they are read: backwards from the cursor of a page before it.
pub(super) async fn list(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    plan: SearchPlan,
    bounds: SearchBounds,
    limit: u64,
) -> Result<Vec<UserSummary>, DbError> {
    let (columns, mut query) = (COLUMNS.as_str(), QueryBuilder::new(db));
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
        SearchPlan::ScanWindow if filter.is_empty() => {
            let limit = query.bind(number(limit));
            let rows = in_order(filter, sort, position, &limit, &mut query);
            format!("SELECT {columns} {rows} LIMIT {limit}")
        }
        SearchPlan::ScanWindow => {
            // No outer ORDER BY: both engines return the rows in the order of the window, and
            // asking once more would make SQLite read the whole window before it answers.
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

/// Returns the last row of a window, if the window is full. Reads only the index, and no further
/// than the window.
pub(super) async fn find_end_of_window(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    window: u64,
) -> Result<Option<Cursor>, DbError> {
    let mut query = QueryBuilder::new(db);
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

/// Returns matching IDs after one and up to another, in order.
pub(super) async fn list_ids(
    db: &Db,
    filter: &UserFilter,
    after: UserId,
    end: UserId,
    limit: u64,
) -> Result<Vec<UserId>, DbError> {
    let mut query = QueryBuilder::new(db);
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

//! The statements of the throttle: each is one conditional statement, and its row count is the
//! answer.

use sea_orm::{ConnectionTrait as _, Statement, Value};
use time::OffsetDateTime;

use super::{Attempt, Limit};
use crate::clock::{from_micros, to_micros};
use crate::db::{Db, DbError, Transaction};

/// Counts every attempt, unless a key must wait; returns how many were counted.
pub(super) async fn count(
    db: &Db,
    attempts: &[Attempt],
    now: OffsetDateTime,
) -> Result<usize, DbError> {
    // The request that read the clock first may arrive last: time never runs backwards for a key.
    let now_parameter = format!("${}", attempts.len() + 1);
    let latest = format!(
        "(CASE WHEN throttle.counted_at > {now_parameter} THEN throttle.counted_at \
         ELSE {now_parameter} END)"
    );
    let elapsed = format!("CAST({latest} - throttle.counted_at AS double precision)");
    let level_of = |each: &Attempt| {
        let sunk = format!("throttle.level - {elapsed} / {}", micros(each.limit.forgets_one_in));
        // With a cap the level stays until all of it is forgotten.
        let rest = if each.cap.is_some() { "throttle.level" } else { &sunk };
        format!("(CASE WHEN {sunk} > 0 THEN {rest} ELSE 0 END + 1)")
    };
    let forget = per_key(attempts, |each| micros(each.limit.forgets_one_in).to_string());
    let level = per_key(attempts, level_of);
    let open_at = per_key(attempts, |each| open_at(&level_of(each), &latest, each.limit));
    let is_closed = is_closed_expression(attempts, "throttle");
    let other_is_closed = is_closed_expression(attempts, "other");
    let keys = keys(attempts);
    let rows: Vec<String> = attempts
        .iter()
        .enumerate()
        .map(|(index, each)| {
            let forget = micros(each.limit.forgets_one_in);
            // If no attempt is free, even the first one is followed by a wait.
            let wait = if each.limit.free == 0 { micros(each.limit.first_wait) } else { 0 };
            let id = format!("CAST(${} AS text) AS id", index + 1);
            format!("SELECT {id}, {forget} AS forget, {wait} AS wait")
        })
        .collect();
    // One statement, so that parallel attempts are all counted. It locks rows in the order of the
    // attempts, always the account before the client network, so two of them cannot deadlock.
    let sql = format!(
        "INSERT INTO throttle (id, level, counted_at, open_at, forgotten_at) \
         SELECT id, 1, {now_parameter}, CASE WHEN wait > 0 THEN {now_parameter} + wait ELSE 0 END, \
         {now_parameter} + forget FROM ({rows}) AS tries \
         WHERE NOT EXISTS (SELECT 1 FROM throttle AS other \
         WHERE other.id IN ({keys}) \
         AND (other.open_at > {now_parameter} OR {other_is_closed})) \
         ON CONFLICT (id) DO UPDATE SET level = {level}, counted_at = {latest}, \
         open_at = {open_at}, forgotten_at = {latest} + CAST({level} * {forget} AS bigint) \
         WHERE throttle.open_at <= {now_parameter} AND NOT {is_closed} RETURNING level",
        rows = rows.join(" UNION ALL "),
    );
    let values = values(attempts).chain([to_micros(now).into()]);
    let writer = db.writer();
    let statement = Statement::from_sql_and_values(writer.get_database_backend(), sql, values);
    Ok(writer.query_all_raw(statement).await?.len())
}

/// Returns when the last of the keys reopens.
pub(super) async fn find_open_at(
    db: &Db,
    attempts: &[Attempt],
) -> Result<Option<OffsetDateTime>, DbError> {
    let sql =
        format!("SELECT MAX(open_at) AS open_at FROM throttle WHERE id IN ({})", keys(attempts));
    let reader = db.reader();
    let backend = reader.get_database_backend();
    let statement = Statement::from_sql_and_values(backend, sql, values(attempts));
    let row = reader.query_one_raw(statement).await?;
    let open_at: Option<i64> = row.map(|row| row.try_get("", "open_at")).transpose()?.flatten();
    Ok(open_at.map(from_micros))
}

/// Takes these attempts back.
pub(super) async fn refund(transaction: &Transaction, attempts: &[Attempt]) -> Result<(), DbError> {
    let level_of = |each: &Attempt| match each.cap {
        Some(cap) if cap.resets_on_refund => "0",
        _ => "(CASE WHEN throttle.level > 1 THEN throttle.level - 1 ELSE 0 END)",
    };
    let level = per_key(attempts, |each| level_of(each).into());
    // Recomputed for the level that is left: a refund ends the wait of its own attempt and no other.
    let open_at =
        per_key(attempts, |each| open_at(level_of(each), "throttle.counted_at", each.limit));
    // A capped key is kept for long; after a reset it need not be.
    let forgotten_at = per_key(attempts, |each| match each.cap {
        Some(_) => {
            let level = level_of(each);
            format!("(CASE WHEN {level} > 0 THEN throttle.forgotten_at ELSE 0 END)")
        }
        None => "throttle.forgotten_at".into(),
    });
    let rows: Vec<String> =
        (1..=attempts.len()).map(|index| format!("SELECT CAST(${index} AS text) AS id")).collect();
    // An insert that always meets existing rows: it locks them in the order of the attempts, as `count`
    // does, while an update locks them in any order.
    let sql = format!(
        "INSERT INTO throttle (id, level, counted_at, open_at, forgotten_at) \
         SELECT id, 0, 0, 0, 0 FROM ({rows}) AS tries WHERE true \
         ON CONFLICT (id) DO UPDATE SET level = {level}, open_at = {open_at}, \
         forgotten_at = {forgotten_at}",
        rows = rows.join(" UNION ALL "),
    );
    transaction.connection().execute_raw(statement(transaction, &sql, values(attempts))).await?;
    Ok(())
}

/// Returns whether the cap of any key is reached.
pub(super) async fn is_closed(db: &Db, attempts: &[Attempt]) -> Result<bool, DbError> {
    let is_closed = is_closed_expression(attempts, "throttle");
    let keys = keys(attempts);
    let sql = format!("SELECT id FROM throttle WHERE id IN ({keys}) AND {is_closed} LIMIT 1");
    let reader = db.reader();
    let statement =
        Statement::from_sql_and_values(reader.get_database_backend(), sql, values(attempts));
    Ok(reader.query_one_raw(statement).await?.is_some())
}

/// Resets these keys, because what the attempts were about has changed.
pub async fn reset(transaction: &Transaction, attempts: &[Attempt]) -> Result<(), DbError> {
    // One by one, so that rows are locked in the order of the attempts.
    for each in attempts {
        let sql = "UPDATE throttle SET level = 0, open_at = 0, forgotten_at = 0 WHERE id = $1";
        let values = [each.key.as_str().into()];
        transaction.connection().execute_raw(statement(transaction, sql, values)).await?;
    }
    Ok(())
}

/// Returns the SQL condition that a row of `table` has reached its cap.
fn is_closed_expression(attempts: &[Attempt], table: &str) -> String {
    let caps = attempts.iter().enumerate().filter_map(|(index, each)| {
        let at_most = each.cap?.at_most;
        Some(format!(" OR ({table}.id = ${} AND {table}.level >= {at_most})", index + 1))
    });
    format!("(1 = 0{})", caps.collect::<String>())
}

/// Returns an SQL expression that depends on the key of the row.
fn per_key(attempts: &[Attempt], expression: impl Fn(&Attempt) -> String) -> String {
    let cases: Vec<String> = attempts
        .iter()
        .enumerate()
        .map(|(index, each)| format!(" WHEN ${} THEN {}", index + 1, expression(each)))
        .collect();
    format!("(CASE throttle.id{} END)", cases.concat())
}

/// Returns the parameters that hold the keys.
fn keys(attempts: &[Attempt]) -> String {
    let parameters: Vec<String> = (1..=attempts.len()).map(|index| format!("${index}")).collect();
    parameters.join(", ")
}

fn values(attempts: &[Attempt]) -> impl Iterator<Item = Value> {
    attempts.iter().map(|each| each.key.as_str().into())
}

/// Deletes up to `at_most` keys whose attempts are all forgotten; returns how many.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u32,
) -> Result<u64, DbError> {
    let sql = "DELETE FROM throttle WHERE id IN (SELECT id FROM throttle \
               WHERE forgotten_at < $1 AND open_at < $1 LIMIT $2)";
    let values = [to_micros(now).into(), i64::from(at_most).into()];
    let done = transaction.connection().execute_raw(statement(transaction, sql, values)).await?;
    Ok(done.rows_affected())
}

/// Returns the SQL expression for when a key reopens after an attempt at `since` that brought it to
/// `level`: 0 (at once), or after the wait of that level.
fn open_at(level: &str, since: &str, limit: &Limit) -> String {
    let longest = micros(limit.longest_wait);
    let mut cases = format!("WHEN {level} <= {} THEN 0", limit.free);
    let mut above = limit.free;
    let mut next = micros(limit.first_wait);
    while next < longest {
        above += 1;
        cases = format!("{cases} WHEN {level} <= {above} THEN {since} + {next}");
        next = next.saturating_mul(2);
    }
    format!("(CASE {cases} ELSE {since} + {longest} END)")
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).expect("limits are hours, not millennia")
}

fn statement(
    transaction: &Transaction,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    let backend = transaction.connection().get_database_backend();
    Statement::from_sql_and_values(backend, sql, values)
}

//! The statements behind the throttle: each is one, conditional, and its row count is the answer.

use sea_orm::{ConnectionTrait as _, Statement, Value};
use time::OffsetDateTime;

use super::{Limit, Try};
use crate::clock::{from_micros, to_micros};
use crate::db::{DbError, Transaction};

pub(super) async fn count(
    transaction: &Transaction,
    each: &Try,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let limit = each.limit;
    let forget = micros(limit.forgets_one_in);
    // Whoever read the clock first may get here last: time never runs backwards for a key.
    let latest = "(CASE WHEN throttle.counted_at > $2 THEN throttle.counted_at ELSE $2 END)";
    let elapsed = format!("CAST({latest} - throttle.counted_at AS double precision)");
    let sunk = format!("throttle.level - {elapsed} / {forget}");
    let level = format!("(CASE WHEN {sunk} > 0 THEN {sunk} ELSE 0 END + 1)");
    let sql = format!(
        "INSERT INTO throttle (id, level, counted_at, open_at, forgotten_at) \
         VALUES ($1, 1, $2, 0, $2 + {forget}) \
         ON CONFLICT (id) DO UPDATE SET level = {level}, counted_at = {latest}, \
         open_at = {open_at}, forgotten_at = {latest} + CAST({level} * {forget} AS bigint) \
         WHERE throttle.open_at <= $2 RETURNING level",
        open_at = open_at(&level, latest, limit),
    );
    let values = [each.key.as_str().into(), to_micros(now).into()];
    Ok(transaction
        .connection()
        .query_one_raw(statement(transaction, &sql, values))
        .await?
        .is_some())
}

pub(super) async fn find_open_at(
    transaction: &Transaction,
    each: &Try,
) -> Result<Option<OffsetDateTime>, DbError> {
    let sql = "SELECT open_at FROM throttle WHERE id = $1";
    let values = [each.key.as_str().into()];
    let row = transaction.connection().query_one_raw(statement(transaction, sql, values)).await?;
    Ok(row.map(|row| row.try_get("", "open_at")).transpose()?.map(from_micros))
}

/// The wait is worked out anew for the level that is left: an honest try ends the wait that it
/// caused itself and no other.
pub(super) async fn give_back(transaction: &Transaction, each: &Try) -> Result<(), DbError> {
    let level = "(CASE WHEN level > 1 THEN level - 1 ELSE 0 END)";
    let sql = format!(
        "UPDATE throttle SET level = {level}, open_at = {open_at} WHERE id = $1",
        open_at = open_at(level, "counted_at", each.limit),
    );
    let values = [each.key.as_str().into()];
    transaction.connection().execute_raw(statement(transaction, &sql, values)).await?;
    Ok(())
}

pub(super) async fn delete_forgotten(
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

/// When the next try is welcome after one at `since` that brought a key to `level`, as an SQL
/// expression: at once (0) or after the wait of that level.
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

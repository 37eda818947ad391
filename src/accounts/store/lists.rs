//! Queries on many accounts at once: lists by ID or address, and counts.
//!
//! Searching by words and conditions is in `accounts::search`.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, DbErr, EntityTrait as _, Order,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Statement,
};
use time::OffsetDateTime;

use super::row::account_from_row;
use crate::accounts::account::Account;
use crate::clock::to_micros;
use crate::db::entity::user;
use crate::db::entity::user::Column;
use crate::db::{Db, DbError};
use crate::types::{Email, UserId};

/// Returns those of these accounts that exist.
pub async fn list_by_ids(db: &Db, ids: &[UserId]) -> Result<Vec<Account>, DbError> {
    let ids = ids.iter().map(|id| id.0);
    let rows = user::Entity::find().filter(Column::Id.is_in(ids)).order_by(Column::Id, Order::Asc);
    rows.all(db.reader()).await?.into_iter().map(account_from_row).collect()
}

/// Returns the addresses of these accounts, of those that exist.
pub async fn list_emails(db: &Db, ids: &[UserId]) -> Result<BTreeMap<UserId, String>, DbError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    // The list is one value, so that the statement is the same however long it is: preparing one
    // with a place for each of a thousand IDs takes longer than running it.
    let ids = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let backend = db.reader().get_database_backend();
    let (is_listed, ids) = match backend {
        DbBackend::Postgres => ("= ANY(string_to_array($1, ',')::bigint[])", ids),
        _ => ("IN (SELECT value FROM json_each($1))", format!("[{ids}]")),
    };
    let sql = format!("SELECT id, email FROM users WHERE id {is_listed}");
    let statement = Statement::from_sql_and_values(backend, sql, [ids.into()]);
    let rows = db.reader().query_all_raw(statement).await?;
    let pairs = rows
        .iter()
        .map(|row| Ok::<_, DbErr>((UserId(row.try_get_by_index(0)?), row.try_get_by_index(1)?)));
    Ok(pairs.collect::<Result<_, _>>()?)
}

/// Returns the canonical forms of those of these addresses that have an account.
pub async fn list_taken(db: &Db, emails: &[&Email]) -> Result<Vec<String>, DbError> {
    let taken = user::Entity::find()
        .select_only()
        .column(Column::EmailCanonical)
        .filter(Column::EmailCanonical.is_in(emails.iter().map(|email| email.canonical())))
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(taken)
}

/// Counts the accounts: all of them, the inactive ones, those whose address is not verified, and
/// those created since an instant. Each number is counted up to `at_most`.
pub async fn count(db: &Db, since: OffsetDateTime, at_most: u64) -> Result<[u64; 4], DbError> {
    let of = |condition: &str| {
        // With a limit inside: counting a large table takes as long as reading its index.
        format!("(SELECT COUNT(*) FROM (SELECT id FROM users {condition} LIMIT {at_most}) AS few)")
    };
    // The conditions are spelled as in the partial indexes, or the planner would not use those.
    let since = format!("WHERE created_at >= {}", to_micros(since));
    let sql = format!(
        "SELECT {}, {}, {}, {}",
        of(""),
        of("WHERE NOT is_active"),
        of("WHERE email_verified_at IS NULL"),
        of(&since)
    );
    let connection = db.reader();
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let mut counts = [0; 4];
    if let Some(row) = connection.query_one_raw(statement).await? {
        for (index, count) in counts.iter_mut().enumerate() {
            let number: i64 = row.try_get_by_index(index)?;
            *count = number.unsigned_abs();
        }
    }
    Ok(counts)
}

/// Returns the highest ID of an account, or 0 when there is none.
pub async fn find_last(db: &Db) -> Result<UserId, DbError> {
    let last: Option<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .order_by(Column::Id, Order::Desc)
        .into_tuple()
        .one(db.reader())
        .await?;
    Ok(UserId(last.unwrap_or(0)))
}

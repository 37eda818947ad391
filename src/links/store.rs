//! Queries on `one_time_links`.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    QueryTrait as _,
};
use time::OffsetDateTime;

use crate::clock::to_micros;
use crate::db::entity::one_time_link::{self, Column};
use crate::db::{Db, DbError, Transaction};
use crate::types::HashedSecret;

pub(super) async fn insert(
    transaction: &Transaction,
    hash: &HashedSecret,
    purpose: &str,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), DbError> {
    let row = one_time_link::ActiveModel {
        id: Set(hash.as_str().to_owned()),
        purpose: Set(purpose.to_owned()),
        user_id: Set(None),
        created_at: Set(to_micros(now)),
        expires_at: Set(to_micros(expires_at)),
        used_at: Set(None),
    };
    one_time_link::Entity::insert(row).exec_without_returning(transaction.connection()).await?;
    Ok(())
}

pub(super) async fn exists_unused(
    db: &Db,
    hash: &HashedSecret,
    purpose: &str,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let row = one_time_link::Entity::find_by_id(hash.as_str())
        .filter(Column::Purpose.eq(purpose))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .one(db.reader())
        .await?;
    Ok(row.is_some())
}

/// The hashes of the links that this statement, and no other, has used up.
pub(super) async fn update_used(
    transaction: &Transaction,
    purpose: &str,
    now: OffsetDateTime,
) -> Result<Vec<String>, DbError> {
    let rows = one_time_link::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(to_micros(now)))
        .filter(Column::Purpose.eq(purpose))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .exec_with_returning(transaction.connection())
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

pub(super) async fn delete_over(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let over = one_time_link::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ExpiresAt.lt(to_micros(now)))
        .limit(at_most)
        .into_query();
    let done = one_time_link::Entity::delete_many()
        .filter(Column::Id.in_subquery(over))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

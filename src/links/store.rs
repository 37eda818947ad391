//! Queries on `one_time_links`.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

use super::{PendingLink, Purpose};
use crate::clock::{from_micros, to_micros};
use crate::db::entity::one_time_link;
use crate::db::entity::one_time_link::Column;
use crate::db::{Db, DbError, Transaction};
use crate::types::{Email, HashedSecret, UserId};

pub(super) async fn insert(
    transaction: &Transaction,
    links: impl IntoIterator<Item = (HashedSecret, Purpose, Duration)>,
    user: Option<UserId>,
    email: Option<&Email>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let rows = links.into_iter().map(|(hash, purpose, lifetime)| one_time_link::ActiveModel {
        id: Set(hash.as_str().to_owned()),
        purpose: Set(purpose.as_str().to_owned()),
        user_id: Set(user.map(|user| user.0)),
        created_at: Set(to_micros(now)),
        expires_at: Set(to_micros(now + lifetime)),
        used_at: Set(None),
        email: Set(email.map(|email| email.as_typed().to_owned())),
        email_canonical: Set(email.map(|email| email.canonical().to_owned())),
    });
    one_time_link::Entity::insert_many(rows)
        .exec_without_returning(transaction.connection())
        .await?;
    Ok(())
}

pub(super) async fn find_unused(
    db: &Db,
    hash: &HashedSecret,
    now: OffsetDateTime,
) -> Result<Option<one_time_link::Model>, DbError> {
    let row = one_time_link::Entity::find_by_id(hash.as_str())
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .one(db.reader())
        .await?;
    Ok(row)
}

pub(super) async fn find(
    db: &Db,
    hash: &HashedSecret,
) -> Result<Option<one_time_link::Model>, DbError> {
    Ok(one_time_link::Entity::find_by_id(hash.as_str()).one(db.reader()).await?)
}

/// Lists a user's valid links, the newest first, at most `at_most`.
pub async fn list_pending(
    db: &Db,
    user: UserId,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<PendingLink>, DbError> {
    let rows = one_time_link::Entity::find()
        .filter(Column::UserId.eq(user.0))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .order_by_desc(Column::CreatedAt)
        .limit(at_most)
        .all(db.reader())
        .await?;
    let pending = rows.into_iter().map(|row| PendingLink {
        purpose: row.purpose,
        email: row.email,
        created_at: from_micros(row.created_at),
        expires_at: from_micros(row.expires_at),
    });
    Ok(pending.collect())
}

/// Returns whether this statement, and no other, has used the link.
pub(super) async fn update_used(
    transaction: &Transaction,
    hash: &HashedSecret,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = one_time_link::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(hash.as_str()))
        .filter(Column::Purpose.eq(purpose.as_str()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Returns the hashes of the links that this statement, and no other, has used.
pub(super) async fn update_all_used(
    transaction: &Transaction,
    purpose: Purpose,
    now: OffsetDateTime,
) -> Result<Vec<String>, DbError> {
    let rows = one_time_link::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(to_micros(now)))
        .filter(Column::Purpose.eq(purpose.as_str()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)))
        .exec_with_returning(transaction.connection())
        .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Revokes a user's links of these purposes that were created at `since` or later. The caller holds
/// the lock on the account.
pub async fn revoke(
    transaction: &Transaction,
    user: UserId,
    purposes: &[Purpose],
    since: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    one_time_link::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(to_micros(now)))
        .filter(Column::UserId.eq(user.0))
        .filter(Column::Purpose.is_in(purposes.iter().map(|purpose| purpose.as_str())))
        .filter(Column::UsedAt.is_null())
        .filter(Column::CreatedAt.gte(to_micros(since)))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

pub(super) async fn exists_for(
    transaction: &Transaction,
    email: &Email,
    purpose: Purpose,
    except: Option<UserId>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let mut query = one_time_link::Entity::find()
        .filter(Column::EmailCanonical.eq(email.canonical()))
        .filter(Column::Purpose.eq(purpose.as_str()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(to_micros(now)));
    if let Some(except) = except {
        query = query.filter(Column::UserId.ne(except.0));
    }
    Ok(query.one(transaction.connection()).await?.is_some())
}

/// Deletes up to `at_most` expired links; returns how many.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let expired = one_time_link::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ExpiresAt.lt(to_micros(now)))
        .limit(at_most)
        .into_query();
    let done = one_time_link::Entity::delete_many()
        .filter(Column::Id.in_subquery(expired))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

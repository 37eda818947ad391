//! Queries on `users` that change whether an account may be used.

use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use time::OffsetDateTime;

use super::{AccountSnapshot, Deactivation};
use crate::accounts::store::{begin_update, is_not_last_superuser};
use crate::clock::to_micros;
use crate::db::entity::user;
use crate::db::entity::user::Column;
use crate::db::{Db, DbError, Invalidate, Transaction};
use crate::types::UserId;

/// Locks the rows of all superusers, so that no other transaction changes who is one until this one
/// ends. Call it before locking an account that will be deactivated or deleted.
pub async fn lock_superusers(transaction: &Transaction) -> Result<(), DbError> {
    let _: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::IsSuperuser.eq(true))
        // Always in one order, or two transactions could each hold a row that the other needs.
        .order_by(Column::Id, Order::Asc)
        .lock(LockType::Update)
        .into_tuple()
        .all(transaction.connection())
        .await?;
    Ok(())
}

pub(super) async fn update_deletes_at(
    transaction: &Transaction,
    id: UserId,
    at: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = user::Entity::update_many()
        .col_expr(Column::DeletesAt, Expr::value(to_micros(at)))
        .filter(Column::Id.eq(id.0))
        .filter(is_not_last_superuser(id))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Deactivates a locked account. Returns `false` for the last active superuser.
pub async fn deactivate(
    transaction: &Transaction,
    id: UserId,
    why: Deactivation<'_>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(false))
        .col_expr(Column::InactiveReason, Expr::value(why.reason))
        .col_expr(Column::InactiveUntil, Expr::value(why.until.map(to_micros)))
        .col_expr(Column::DeletesAt, Expr::value(why.deletes_at.map(to_micros)))
        .filter(is_not_last_superuser(id))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Activates a locked account and cancels a pending deletion.
pub async fn activate(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    transaction.after_commit(Invalidate::User(id));
    begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(true))
        .col_expr(Column::InactiveReason, Expr::value(""))
        .col_expr(Column::InactiveUntil, Expr::value(None::<i64>))
        .col_expr(Column::DeletesAt, Expr::value(None::<i64>))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

/// Restores the state of an account. Returns `false` when the account no longer exists, or was
/// saved since the snapshot.
pub async fn restore(
    transaction: &Transaction,
    id: UserId,
    before: &AccountSnapshot,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(before.is_active))
        .col_expr(Column::InactiveReason, Expr::value(before.reason.as_str()))
        .col_expr(Column::InactiveUntil, Expr::value(before.until.map(to_micros)))
        .col_expr(Column::DeletesAt, Expr::value(before.deletes_at.map(to_micros)))
        // Staff may have saved the account since; their change is newer than the snapshot.
        .filter(Column::Version.eq(before.version))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn end_suspension(
    transaction: &Transaction,
    id: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    let done = begin_update(id, now)
        .col_expr(Column::IsActive, Expr::value(true))
        .col_expr(Column::InactiveReason, Expr::value(""))
        .col_expr(Column::InactiveUntil, Expr::value(None::<i64>))
        .filter(Column::IsActive.eq(false))
        // An account that staff deleted stays inactive, also when an earlier suspension would be
        // over.
        .filter(Column::DeletesAt.is_null())
        .filter(Column::InactiveUntil.lte(to_micros(now)))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Returns up to `at_most` accounts whose suspension is over.
pub async fn list_suspended_until(
    db: &Db,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let ids: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::InactiveUntil.lte(to_micros(now)))
        .filter(Column::IsActive.eq(false))
        .filter(Column::DeletesAt.is_null())
        .limit(at_most)
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

pub(super) async fn list_due(
    db: &Db,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let ids: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::DeletesAt.lte(to_micros(now)))
        .limit(at_most)
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

pub(super) async fn list_unverified(
    db: &Db,
    before: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<UserId>, DbError> {
    let ids: Vec<i64> = user::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::EmailVerifiedAt.is_null())
        .filter(Column::CreatedAt.lt(to_micros(before)))
        .filter(Column::IsStaff.eq(false))
        .filter(Column::IsSuperuser.eq(false))
        .limit(at_most)
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// Deletes a locked account with its sessions and links. Returns `false` for the last active
/// superuser.
pub async fn delete(transaction: &Transaction, id: UserId) -> Result<bool, DbError> {
    transaction.after_commit(Invalidate::User(id));
    // Sessions and links go by their foreign keys (ON DELETE CASCADE).
    let done = user::Entity::delete_many()
        .filter(Column::Id.eq(id.0))
        .filter(is_not_last_superuser(id))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

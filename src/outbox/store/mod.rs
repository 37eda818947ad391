//! Queries on `outbox`.
//!
//! Here an e-mail is inserted, marked and deleted; claims and lists have files of their own.

mod claims;
mod entries;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _,
    QueryTrait as _,
};
use time::OffsetDateTime;

use self::claims::is_claimed_since;
pub(super) use self::claims::{
    claimed, is_any_due, update_claimed, update_released, update_renewed,
};
pub use self::entries::{DeliveryStatus, OutboxEntry, list, list_for_user};
use crate::clock::to_micros;
use crate::db::entity::outbox;
use crate::db::entity::outbox::Column;
use crate::db::{Db, DbError, Transaction};
use crate::mail::EmailKind;
use crate::outbox::{ClaimedEmail, Recipient};
use crate::types::UserId;

pub(super) async fn insert(
    transaction: &Transaction,
    to: &Recipient,
    kind: EmailKind,
    sealed: &str,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), DbError> {
    let row = outbox::ActiveModel {
        user_id: Set(to.user.map(|user| user.0)),
        recipient: Set(to.email.as_typed().to_owned()),
        language: Set(to.language.tag().to_owned()),
        kind: Set(kind.as_str().to_owned()),
        sealed: Set(sealed.to_owned()),
        created_at: Set(to_micros(now)),
        due_at: Set(Some(to_micros(now))),
        expires_at: Set(to_micros(expires_at)),
        attempts: Set(0),
        sent_at: Set(None),
        failed_at: Set(None),
        last_error: Set(String::new()),
        is_claimed: Set(false),
        ..Default::default()
    };
    outbox::Entity::insert(row).exec_without_returning(transaction.connection()).await?;
    Ok(())
}

pub(super) async fn update_content(
    transaction: &Transaction,
    request: &ClaimedEmail,
    to: &Recipient,
    sealed: &str,
) -> Result<bool, DbError> {
    let done = outbox::Entity::update_many()
        .col_expr(Column::UserId, Expr::value(to.user.map(|user| user.0)))
        .col_expr(Column::Recipient, Expr::value(to.email.as_typed()))
        .col_expr(Column::Language, Expr::value(to.language.tag()))
        .col_expr(Column::Sealed, Expr::value(sealed))
        .filter(Column::Id.eq(request.id))
        .filter(is_claimed_since(request.claimed_at))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

pub(super) async fn update_sent(db: &Db, id: i64, now: OffsetDateTime) -> Result<(), DbError> {
    outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(None::<i64>))
        .col_expr(Column::SentAt, Expr::value(to_micros(now)))
        // Another node may have given it up while the mail server accepted it.
        .col_expr(Column::FailedAt, Expr::value(None::<i64>))
        .col_expr(Column::Sealed, Expr::value(""))
        .col_expr(Column::LastError, Expr::value(""))
        .col_expr(Column::IsClaimed, Expr::value(false))
        .filter(Column::Id.eq(id))
        .exec(db.writer())
        .await?;
    Ok(())
}

pub(super) async fn update_failed(
    db: &Db,
    id: i64,
    claimed_at: OffsetDateTime,
    reason: &str,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(None::<i64>))
        .col_expr(Column::FailedAt, Expr::value(to_micros(now)))
        .col_expr(Column::Sealed, Expr::value(""))
        .col_expr(Column::LastError, Expr::value(reason))
        .col_expr(Column::IsClaimed, Expr::value(false))
        .filter(Column::Id.eq(id))
        .filter(is_claimed_since(claimed_at))
        .exec(db.writer())
        .await?;
    Ok(())
}

pub(super) async fn update_due(
    db: &Db,
    email: &ClaimedEmail,
    at: OffsetDateTime,
    reason: &str,
) -> Result<(), DbError> {
    outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(at)))
        .col_expr(Column::LastError, Expr::value(reason))
        .col_expr(Column::IsClaimed, Expr::value(false))
        .filter(Column::Id.eq(email.id))
        .filter(is_claimed_since(email.claimed_at))
        .exec(db.writer())
        .await?;
    Ok(())
}

/// Makes an e-mail due now that has failed and waits; returns `false` for every other.
pub async fn retry_now(
    transaction: &Transaction,
    id: i64,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(id))
        .filter(Column::DueAt.is_not_null())
        // An e-mail that a node is sending would be sent twice.
        .filter(Column::IsClaimed.eq(false))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Deletes a claimed e-mail.
pub async fn discard(db: &Db, request: &ClaimedEmail) -> Result<(), DbError> {
    outbox::Entity::delete_many()
        .filter(Column::Id.eq(request.id))
        .filter(is_claimed_since(request.claimed_at))
        .exec(db.writer())
        .await?;
    Ok(())
}

/// Deletes every e-mail to a user, sent or not.
pub async fn delete_for_user(transaction: &Transaction, user: UserId) -> Result<(), DbError> {
    outbox::Entity::delete_many()
        .filter(Column::UserId.eq(user.0))
        .exec(transaction.connection())
        .await?;
    Ok(())
}

pub(super) async fn delete_finished(
    transaction: &Transaction,
    before: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    let finished = outbox::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::CreatedAt.lt(to_micros(before)))
        // An e-mail of a kind that no node knows any more is never claimed, and so never finished.
        .filter(Column::DueAt.is_null().or(Column::ExpiresAt.lt(to_micros(before))))
        .limit(at_most)
        .into_query();
    let done = outbox::Entity::delete_many()
        .filter(Column::Id.in_subquery(finished))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

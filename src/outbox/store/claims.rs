//! Claims on e-mails: one statement decides which node sends an e-mail, and only that node changes
//! it.

use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    QueryTrait as _,
};
use time::OffsetDateTime;

use crate::clock::{from_micros, to_micros};
use crate::crypto::UnsealError;
use crate::db::entity::outbox;
use crate::db::entity::outbox::Column;
use crate::db::{Db, DbError};
use crate::mail::{EmailContent, EmailKind};
use crate::outbox::{ClaimedEmail, Recipient, Unreadable};
use crate::types::{Email, Language, UserId};

pub(in crate::outbox) async fn is_any_due(db: &Db, now: OffsetDateTime) -> Result<bool, DbError> {
    let due: Option<i64> = outbox::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(is_due(now))
        .limit(1)
        .into_tuple()
        .one(db.reader())
        .await?;
    Ok(due.is_some())
}

/// Returns the condition that an e-mail is due and this version knows its kind and language.
fn is_due(now: OffsetDateTime) -> SimpleExpr {
    Column::DueAt
        .lte(to_micros(now))
        // While nodes are replaced one by one, a newer one may have written an e-mail that this one
        // does not know; it also sends it.
        .and(Column::Kind.is_in(EmailKind::ALL.map(EmailKind::as_str)))
        .and(Column::Language.is_in(Language::ALL.map(Language::tag)))
}

/// Returns the condition that an e-mail is still claimed since an instant.
pub(super) fn is_claimed_since(claimed_at: OffsetDateTime) -> SimpleExpr {
    // The beginning identifies a claim: its end moves while the e-mail is sent, and the claim of
    // another node begins later.
    Column::ClaimedAt.eq(to_micros(claimed_at)).and(Column::IsClaimed.eq(true))
}

/// Claims e-mails that are due, and returns those that this statement, and no other, has claimed.
pub(in crate::outbox) async fn update_claimed(
    db: &Db,
    now: OffsetDateTime,
    until: OffsetDateTime,
    at_most: u64,
) -> Result<Vec<outbox::Model>, DbError> {
    let due = outbox::Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(is_due(now))
        .order_by(Column::DueAt, Order::Asc)
        .limit(at_most)
        // Rows that another node is claiming at this moment are passed over, without waiting.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    let mut rows = outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(until)))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::IsClaimed, Expr::value(true))
        .col_expr(Column::ClaimedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.in_subquery(due))
        // A row that another node has claimed since the subquery is not due any more.
        .filter(Column::DueAt.lte(to_micros(now)))
        .exec_with_returning(db.writer())
        .await?;
    // In the order in which they were written: of two reset links, the last one works.
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

/// Reads a claimed row as an e-mail.
pub(in crate::outbox) fn claimed(
    row: outbox::Model,
    unseal: impl FnOnce(EmailKind, &str) -> Result<EmailContent, UnsealError>,
) -> Result<ClaimedEmail, Unreadable> {
    let kind = EmailKind::from_stored(&row.kind).ok_or(Unreadable::EmailKind)?;
    let email = unseal(kind, &row.sealed).map_err(|_| Unreadable::Sealed)?;
    Ok(ClaimedEmail {
        id: row.id,
        to: Recipient {
            user: row.user_id.map(UserId),
            email: Email::from_stored(&row.recipient).map_err(|_| Unreadable::Address)?,
            language: Language::from_tag(&row.language).ok_or(Unreadable::EmailKind)?,
        },
        content: email,
        created_at: from_micros(row.created_at),
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        expires_at: from_micros(row.expires_at),
        reason: row.last_error,
        claimed_at: from_micros(row.claimed_at.unwrap_or_default()),
    })
}

pub(in crate::outbox) async fn update_released(
    db: &Db,
    ids: &[i64],
    claimed_at: OffsetDateTime,
    at: OffsetDateTime,
) -> Result<(), DbError> {
    outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(at)))
        // Claiming counted an attempt that was not made.
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1))
        .col_expr(Column::IsClaimed, Expr::value(false))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(is_claimed_since(claimed_at))
        .exec(db.writer())
        .await?;
    Ok(())
}

/// Moves the end of a claim. Leaves e-mails alone that are finished or claimed by another node.
pub(in crate::outbox) async fn update_renewed(
    db: &Db,
    ids: &[i64],
    claimed_at: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<(), DbError> {
    outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(until)))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(is_claimed_since(claimed_at))
        .exec(db.writer())
        .await?;
    Ok(())
}

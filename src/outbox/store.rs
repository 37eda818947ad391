//! Queries on `outbox`.

use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
};
use time::OffsetDateTime;

use super::{ClaimedEmail, Recipient, Unreadable};
use crate::clock::{from_micros, to_micros};
use crate::crypto::UnsealError;
use crate::db::entity::outbox;
use crate::db::entity::outbox::Column;
use crate::db::{Db, DbError, Transaction};
use crate::mail::{EmailContent, EmailKind};
use crate::types::{Email, Language, UserId};

/// What became of an e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It is on its way.
    Waiting,
    /// The mail server has it.
    Sent,
    /// It was given up.
    Failed,
}

/// An e-mail as its row tells it, without what it says.
#[derive(Debug, Clone)]
pub struct OutboxEntry {
    /// Number of the e-mail.
    pub id: i64,
    /// How often it has been tried.
    pub attempts: i64,
    /// The stored name of the occasion.
    pub kind: String,
    /// The address it is for.
    pub recipient: String,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// What became of it.
    pub status: DeliveryStatus,
    /// Why it could not be sent the last time, empty if it could.
    pub reason: String,
}

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

pub(super) async fn is_any_due(db: &Db, now: OffsetDateTime) -> Result<bool, DbError> {
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

/// Whether an e-mail is due and this version knows what it is.
fn is_due(now: OffsetDateTime) -> SimpleExpr {
    Column::DueAt
        .lte(to_micros(now))
        .and(Column::Kind.is_in(EmailKind::ALL.map(EmailKind::as_str)))
        .and(Column::Language.is_in(Language::ALL.map(Language::tag)))
}

/// Whether an e-mail is still claimed since an instant, which tells the claims of nodes apart: until when it is claimed
/// moves while it is sent, and a claim of another node begins later.
fn is_claimed_since(claimed_at: OffsetDateTime) -> SimpleExpr {
    Column::ClaimedAt.eq(to_micros(claimed_at)).and(Column::IsClaimed.eq(true))
}

/// The e-mails that this statement, and no other, has claimed. Rows that another node is claiming at
/// this moment are passed over, and a row that it has claimed is not due any more.
pub(super) async fn update_claimed(
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
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_query();
    let mut rows = outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(until)))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::IsClaimed, Expr::value(true))
        .col_expr(Column::ClaimedAt, Expr::value(to_micros(now)))
        .filter(Column::Id.in_subquery(due))
        .filter(Column::DueAt.lte(to_micros(now)))
        .exec_with_returning(db.writer())
        .await?;
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

/// A claimed row as an e-mail.
pub(super) fn claimed(
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

pub(super) async fn update_released(
    db: &Db,
    ids: &[i64],
    claimed_at: OffsetDateTime,
    at: OffsetDateTime,
) -> Result<(), DbError> {
    outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(at)))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1))
        .col_expr(Column::IsClaimed, Expr::value(false))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(is_claimed_since(claimed_at))
        .exec(db.writer())
        .await?;
    Ok(())
}

/// E-mails that are finished, or that another node has claimed, are left alone.
pub(super) async fn update_renewed(
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

/// What became of the e-mails to a person: the newest first, at most `at_most`.
pub async fn list_for_user(
    db: &Db,
    user: UserId,
    at_most: u64,
) -> Result<Vec<OutboxEntry>, DbError> {
    let rows = outbox::Entity::find()
        .filter(Column::UserId.eq(user.0))
        .order_by(Column::Id, Order::Desc)
        .limit(at_most)
        .all(db.reader())
        .await?;
    Ok(rows.into_iter().map(logged).collect())
}

/// All e-mails, newest first: at most `at_most` of a status, older than the e-mail `before`.
///
/// Each status has its index, and the rest is read from the newest on.
pub async fn list(
    db: &Db,
    status: Option<DeliveryStatus>,
    before: Option<i64>,
    at_most: u64,
) -> Result<Vec<OutboxEntry>, DbError> {
    let mut emails = outbox::Entity::find();
    emails = match status {
        None => emails,
        Some(DeliveryStatus::Waiting) => emails.filter(Column::DueAt.is_not_null()),
        Some(DeliveryStatus::Sent) => emails.filter(Column::SentAt.is_not_null()),
        Some(DeliveryStatus::Failed) => emails.filter(Column::FailedAt.is_not_null()),
    };
    if let Some(before) = before {
        emails = emails.filter(Column::Id.lt(before));
    }
    let rows = emails.order_by(Column::Id, Order::Desc).limit(at_most).all(db.reader()).await?;
    Ok(rows.into_iter().map(logged).collect())
}

fn logged(row: outbox::Model) -> OutboxEntry {
    OutboxEntry {
        id: row.id,
        attempts: row.attempts,
        status: match (row.sent_at, row.failed_at) {
            (Some(_), _) => DeliveryStatus::Sent,
            (None, Some(_)) => DeliveryStatus::Failed,
            (None, None) => DeliveryStatus::Waiting,
        },
        kind: row.kind,
        recipient: row.recipient,
        created_at: from_micros(row.created_at),
        reason: row.last_error,
    }
}

/// Makes an e-mail due now that has failed and waits; `false` for every other. An e-mail that somebody
/// is sending is left alone, or it would go out twice.
pub async fn retry_now(
    transaction: &Transaction,
    id: i64,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let done = outbox::Entity::update_many()
        .col_expr(Column::DueAt, Expr::value(to_micros(now)))
        .filter(Column::Id.eq(id))
        .filter(Column::DueAt.is_not_null())
        .filter(Column::IsClaimed.eq(false))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Drops an e-mail that asked for an answer where there is nobody to answer.
pub async fn discard(db: &Db, request: &ClaimedEmail) -> Result<(), DbError> {
    outbox::Entity::delete_many()
        .filter(Column::Id.eq(request.id))
        .filter(is_claimed_since(request.claimed_at))
        .exec(db.writer())
        .await?;
    Ok(())
}

/// Forgets every e-mail to a person, sent or not.
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
        .filter(Column::DueAt.is_null().or(Column::ExpiresAt.lt(to_micros(before))))
        .limit(at_most)
        .into_query();
    let done = outbox::Entity::delete_many()
        .filter(Column::Id.in_subquery(finished))
        .exec(transaction.connection())
        .await?;
    Ok(done.rows_affected)
}

//! The e-mails as they are listed: their status and recipient, without their content.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use time::OffsetDateTime;

use crate::clock::from_micros;
use crate::db::entity::outbox;
use crate::db::entity::outbox::Column;
use crate::db::{Db, DbError};
use crate::types::UserId;

/// The status of an e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// It waits to be sent, or is being sent.
    Waiting,
    /// The mail server has accepted it.
    Sent,
    /// It failed for good.
    Failed,
}

/// An e-mail without its content.
#[derive(Debug, Clone)]
pub struct OutboxEntry {
    /// The number of the e-mail.
    pub id: i64,
    /// How often it has been tried.
    pub attempts: i64,
    /// The stored name of its kind.
    pub kind: String,
    /// The address it is for.
    pub recipient: String,
    /// When it was enqueued.
    pub created_at: OffsetDateTime,
    /// Its status.
    pub status: DeliveryStatus,
    /// Why the last attempt failed; empty if it did not.
    pub reason: String,
}

/// Lists the e-mails of a status, or all, newest first: at most `at_most`, older than `before`.
pub async fn list(
    db: &Db,
    status: Option<DeliveryStatus>,
    before: Option<i64>,
    at_most: u64,
) -> Result<Vec<OutboxEntry>, DbError> {
    // Each status has its index, which is read from the newest e-mail on.
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
    Ok(rows.into_iter().map(entry_from_row).collect())
}

/// Lists the e-mails to a user, newest first: at most `at_most`.
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
    Ok(rows.into_iter().map(entry_from_row).collect())
}

fn entry_from_row(row: outbox::Model) -> OutboxEntry {
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

//! The audit log: what happened, to which account, who did it and from where.
//!
//! An event is written in the transaction of what it reports, so neither exists without the other.
//! Does not read accounts or sessions and knows only their ids, because the log outlives them.

mod event;
mod event_kind;
mod recorded_event;
mod search;
mod store;

use time::OffsetDateTime;

pub use event::AuditEvent;
pub use event_kind::AuditEventKind;
pub use recorded_event::{ExportedEvent, RecordedEvent};
pub use search::{AuditCursor, AuditSearch};
pub use store::{
    anonymize, count_by_day, count_since, export, list_latest, list_of_user, record, search,
};

use crate::db::{DbError, Transaction};
use crate::types::RequestInfo;

/// How long failed log-ins are kept. Visitors cause them, so they are not kept for ever.
const KEEP_FAILURES: time::Duration = time::Duration::days(90);

/// How many rows failed log-ins at unknown addresses overwrite: enough that two of them seldom wait
/// for each other.
const UNKNOWN_FAILURES: u8 = 64;

/// Writes as much for a failed log-in at an unknown address as [`record`] writes for one at a known
/// address, so that the time of the next request does not tell them apart. Overwrites one of a few
/// rows, chosen by `any`, and adds nothing to the log.
pub async fn record_unknown_failure(
    transaction: &Transaction,
    any: u8,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::upsert_unknown_failure(transaction, any % UNKNOWN_FAILURES, info, now).await
}

/// Deletes up to `at_most` old failed log-ins and returns their number. All other events stay.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_before(transaction, AuditEventKind::LoginFailed, now - KEEP_FAILURES, at_most)
        .await
}

//! What staff do to e-mails in the outbox.

use serde_json::json;

use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::DbError;
use crate::outbox;
use crate::types::{RequestInfo, User};

/// The outcome of a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryOutcome {
    /// It is due now.
    Due,
    /// It is finished or being sent at this moment; there is nothing to do.
    NotWaiting,
}

/// Makes an e-mail due now that failed and waits for its next attempt.
pub async fn retry(
    ctx: &Context,
    by: &User,
    info: &RequestInfo,
    email: i64,
) -> Result<RetryOutcome, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if !outbox::retry_now(&transaction, email, now).await? {
        return Ok(RetryOutcome::NotWaiting);
    }
    let event = AuditEvent {
        // The event is about an e-mail and not about the user who acts.
        target: None,
        ..AuditEvent::by_owner(by.id, AuditEventKind::EmailRetried, info)
    };
    audit::record(&transaction, event.with_details(json!({ "letter": email })), now).await?;
    transaction.commit().await?;
    tracing::info!(
        email.id = email,
        staff.id = by.id.0,
        request.id = info.request_id,
        "staff had an e-mail tried again"
    );
    Ok(RetryOutcome::Due)
}

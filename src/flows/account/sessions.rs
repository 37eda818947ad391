//! Ending the user's own sessions from the list of them.

use serde_json::json;

use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::DbError;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{RequestInfo, SessionId, UserId};

/// Ends one session of a user, at the request of another session of theirs. Returns `false` when
/// there is nothing to end.
pub async fn end(
    ctx: &Context,
    user: UserId,
    asking: SessionId,
    session: SessionId,
    info: &RequestInfo,
) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let why = EndReason::EndedByOwner;
    // Another user's, ended and unknown look the same, so that nothing is revealed about other
    // users.
    if !sessions::end_from(&transaction, user, asking, session, why, now).await? {
        return Ok(false);
    }
    let event = AuditEvent::by_owner(user, AuditEventKind::SessionEnded, info)
        .in_session(asking)
        .with_details(json!({ "session": session.to_string() }));
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    tracing::info!(
        user.id = user.0, session.id = %session, request.id = info.request_id,
        "session ended by its owner"
    );
    Ok(true)
}

/// Ends every session of a user but the one that requests it, and returns how many.
pub async fn end_others(
    ctx: &Context,
    user: UserId,
    asking: SessionId,
    info: &RequestInfo,
) -> Result<usize, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let why = EndReason::EndedByOwner;
    // A session that has ended itself ends none: of two that end each other, one remains.
    let over = sessions::end_others(&transaction, user, asking, why, now).await?;
    if !over.is_empty() {
        let event = AuditEvent::by_owner(user, AuditEventKind::OtherSessionsEnded, info)
            .in_session(asking)
            .with_details(json!({ "count": over.len() }));
        audit::record(&transaction, event, now).await?;
    }
    transaction.commit().await?;
    tracing::info!(
        user.id = user.0, session.id = %asking, count = over.len(),
        request.id = info.request_id, "other sessions ended by their owner"
    );
    Ok(over.len())
}

//! Log-out: ends the session everywhere at once.

use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::DbError;
use crate::sessions;
use crate::sessions::{EndReason, RefreshError, SessionInvalid};
use crate::types::{RequestInfo, SessionId, UserId};

/// Ends a session. It is no error if the session has ended already.
pub async fn log_out(
    ctx: &Context,
    session: SessionId,
    user: UserId,
    info: &RequestInfo,
) -> Result<(), DbError> {
    end(ctx, session, user, info).await.map(drop)
}

/// Ends the session of a refresh token, for a client that has no other credential. Of several
/// attempts with one token, one succeeds.
pub async fn with_refresh_token(
    ctx: &Context,
    token: &str,
    info: &RequestInfo,
) -> Result<(), RefreshError> {
    let (session, user) = sessions::find_by_refresh_token(ctx, token, info).await?;
    let has_ended = end(ctx, session, user, info).await?;
    if has_ended { Ok(()) } else { Err(SessionInvalid::Ended.into()) }
}

async fn end(
    ctx: &Context,
    session: SessionId,
    user: UserId,
    info: &RequestInfo,
) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // The user is part of the statement, so a token cannot name the session of another user.
    let has_ended =
        sessions::end(&transaction, session, Some(user), EndReason::LoggedOut, now).await?;
    if has_ended {
        let event = AuditEvent::by_owner(user, AuditEventKind::LoggedOut, info).in_session(session);
        audit::record(&transaction, event, now).await?;
    }
    transaction.commit().await?;
    tracing::info!(
        user.id = user.0, session.id = %session, request.id = info.request_id, "logged out"
    );
    Ok(has_ended)
}

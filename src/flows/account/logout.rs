//! Logging out: the session is over, here and everywhere, at once.

use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Ctx;
use crate::db::DbError;
use crate::sessions;
use crate::sessions::{EndReason, Over, RenewError};
use crate::types::{Caller, SessionId, UserId};

/// Ends a session. Ending one that is over already is no error.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn log_out(
    ctx: &Ctx,
    session: SessionId,
    user: UserId,
    caller: &Caller,
) -> Result<(), DbError> {
    end(ctx, session, user, caller).await.map(drop)
}

/// Ends the session of a refresh token, for somebody who has nothing else to show. Of any number who
/// come with the same token, one ends it.
///
/// # Errors
/// [`RenewError`] says why the token is worth nothing.
pub async fn by_token(ctx: &Ctx, token: &str, caller: &Caller) -> Result<(), RenewError> {
    let (session, user) = sessions::by_refresh(ctx, token, caller).await?;
    let has_ended = end(ctx, session, user, caller).await?;
    if has_ended { Ok(()) } else { Err(Over::Ended.into()) }
}

async fn end(
    ctx: &Ctx,
    session: SessionId,
    user: UserId,
    caller: &Caller,
) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let whose = (session, user);
    let has_ended = sessions::end_own(&transaction, whose, EndReason::LoggedOut, now).await?;
    if has_ended {
        let event =
            AuditEvent::by_owner(user, AuditEventKind::LoggedOut, caller).in_session(session);
        audit::record(&transaction, event, now).await?;
    }
    transaction.commit().await?;
    sessions::ended(ctx, session);
    tracing::info!(
        user.id = user.0, session.id = %session, request.id = caller.request_id, "logged out"
    );
    Ok(has_ended)
}

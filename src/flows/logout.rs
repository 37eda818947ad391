//! Logging out: the session is over, here and everywhere, at once.

use crate::audit::{self, Action, Event};
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::sessions::{self, EndReason};
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
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if sessions::end(&transaction, session, EndReason::LoggedOut, now).await? {
        let event = Event::by(user, Action::LoggedOut, caller).in_session(session);
        audit::record(&transaction, event, now).await?;
    }
    transaction.commit().await?;
    sessions::ended(ctx, session);
    tracing::info!(
        user.id = user.0, session.id = %session, request.id = caller.request_id, "logged out"
    );
    Ok(())
}

//! Proving once more: what is dangerous is done only by somebody who has just given the password.

use crate::accounts;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Ctx;
use crate::sessions;
use crate::sessions::ProveError;
use crate::types::{Caller, Email, Password, SessionId};

/// Notes in the session that its owner has just given the password.
///
/// # Errors
/// [`ProveError`] says why not.
pub async fn prove(
    ctx: &Ctx,
    (email, session): (&Email, SessionId),
    password: Password,
    caller: &Caller,
) -> Result<(), ProveError> {
    let proved = sessions::prove(ctx, email, password, caller).await?;
    let now = ctx.clock.now();
    let user = proved.account.person.id;
    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?;
    if !account.is_some_and(|account| proved.stands_in(&account)) {
        return Err(ProveError::Wrong);
    }
    proved.give_back(&transaction).await?;
    sessions::set_proved(&transaction, session, now).await?;
    let event =
        AuditEvent::by_owner(user, AuditEventKind::Reauthenticated, caller).in_session(session);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    sessions::ended(ctx, session);
    Ok(())
}

//! Reauthentication: dangerous actions require that the user has just given the password.

use crate::accounts;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::sessions;
use crate::sessions::AuthError;
use crate::types::{Email, Password, RequestInfo, SessionId};

/// Records in the session that its owner has just given the password.
pub async fn with_password(
    ctx: &Context,
    email: &Email,
    session: SessionId,
    password: Password,
    info: &RequestInfo,
) -> Result<(), AuthError> {
    let verified = sessions::verify_password(ctx, email, password, info).await?;
    let now = ctx.clock.now();
    let user = verified.account.user.id;
    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?;
    // The password may have been changed while it was compared.
    if !account.is_some_and(|account| verified.still_matches(&account)) {
        return Err(AuthError::WrongCredentials);
    }
    verified.refund_attempt_in(&transaction).await?;
    sessions::record_reauthentication(&transaction, session, now).await?;
    let event =
        AuditEvent::by_owner(user, AuditEventKind::Reauthenticated, info).in_session(session);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    Ok(())
}

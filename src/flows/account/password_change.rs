//! Password change: by the owner, who knows the current password, or by the operator on the command
//! line.

use thiserror::Error;

use crate::accounts;
use crate::accounts::{Account, NewPasswordError, Weakness};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::crypto::PasswordHash;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::sessions;
use crate::sessions::{AuthError, EndReason};
use crate::types::{Email, Password, RequestInfo, SessionId};

/// Why the operator could not set the password.
#[derive(Debug, Error)]
pub enum SetPasswordError {
    /// There is no such account.
    #[error("no account has this address")]
    Unknown,
    /// The new password was rejected.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Why the owner could not change the password.
#[derive(Debug, Error)]
pub enum PasswordChangeError {
    /// The current password is wrong, or there were too many attempts.
    #[error(transparent)]
    NotProved(#[from] AuthError),
    /// The new password was rejected.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Changes the password of a user who knows the current one, and ends the user's other sessions.
pub async fn change(
    ctx: &Context,
    email: &Email,
    session: SessionId,
    old: Password,
    new: Password,
    info: &RequestInfo,
) -> Result<(), PasswordChangeError> {
    let verified = sessions::verify_password(ctx, email, old, info).await?;
    let hash = match accounts::hash_new_password(ctx, new, verified.account.user_attributes()).await
    {
        Ok(hash) => hash,
        Err(error) => {
            // The old password was right, so it counts as no guess.
            verified.refund_attempt(ctx).await?;
            return Err(error.into());
        }
    };

    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, verified.account.user.id).await?;
    // The password may have been changed while the new one was hashed.
    let account = account.filter(|account| verified.still_matches(account));
    let account = account.ok_or(AuthError::WrongCredentials)?;
    verified.refund_attempt_in(&transaction).await?;
    // The old password was just given, so dangerous actions need not ask again.
    sessions::record_reauthentication(&transaction, session, ctx.clock.now()).await?;
    let event = AuditEvent::by_owner(account.user.id, AuditEventKind::PasswordChanged, info)
        .in_session(session);
    replace(ctx, &transaction, &account, &hash, Some(session), event).await?;
    transaction.commit().await?;
    let user = account.user.id.0;
    tracing::info!(user.id = user, request.id = info.request_id, "the password was changed");
    Ok(())
}

/// Returns everything that is wrong with a new password whose form is rejected anyway.
///
/// # Errors
/// [`PasswordChangeError`] when the password was not checked.
pub async fn check_password_strength(
    ctx: &Context,
    email: &Email,
    new: &Password,
) -> Result<Vec<Weakness>, PasswordChangeError> {
    let account =
        accounts::find_by_email(&ctx.db, email).await?.ok_or(AuthError::WrongCredentials)?;
    let found = accounts::check_password_strength(ctx, new, account.user_attributes()).await;
    Ok(found.map_err(NewPasswordError::from)?)
}

/// Sets the password of an account and ends its sessions, for a user who cannot do it alone.
pub async fn set_by_operator(
    ctx: &Context,
    email: &Email,
    password: Password,
    info: &RequestInfo,
) -> Result<(), SetPasswordError> {
    let account =
        accounts::find_by_email(&ctx.db, email).await?.ok_or(SetPasswordError::Unknown)?;
    let hash = accounts::hash_new_password(ctx, password, account.user_attributes()).await?;

    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, account.user.id).await?;
    let account = account.ok_or(SetPasswordError::Unknown)?;
    // Attackers guessed at the old password, so their attempts count no longer.
    sessions::reset_failures(ctx, &transaction, email).await?;
    let event = AuditEvent::on_user(account.user.id, AuditEventKind::PasswordSet, info);
    replace(ctx, &transaction, &account, &hash, None, event).await?;
    transaction.commit().await?;
    tracing::info!(user.id = account.user.id.0, "the password was set at the terminal");
    Ok(())
}

/// Sets the password and ends the sessions, with the audit event and the e-mail.
async fn replace(
    ctx: &Context,
    transaction: &Transaction,
    account: &Account,
    hash: &PasswordHash,
    except: Option<SessionId>,
    event: AuditEvent<'_>,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let user = &account.user;
    let info = event.info;
    accounts::set_password(transaction, user.id, Some(hash), now).await?;
    let why = EndReason::PasswordChanged;
    sessions::end_all(transaction, user.id, except, why, now).await?;
    audit::record(transaction, event, now).await?;
    // A thief may have changed it: the e-mail lets the owner lock the account.
    let not_me =
        links::create(ctx, transaction, Purpose::NotMe, user.id, Some(&user.email)).await?;
    let content =
        EmailContent::new(EmailKind::PasswordChanged).with_not_me(not_me).about(info, now);
    outbox::enqueue(transaction, &ctx.keys, &account.recipient(), &content, now).await?;
    Ok(())
}

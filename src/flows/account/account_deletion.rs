//! Account deletion: requested with the password, carried out after two weeks, and cancelled by logging
//! in.

use std::time::Duration;

use serde_json::json;
use thiserror::Error;
use time::OffsetDateTime;

use crate::accounts;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::clock::to_micros;
use crate::context::Context;
use crate::db::DbError;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::sessions;
use crate::sessions::{AuthError, EndReason};
use crate::types::{Password, RequestInfo, User, UserId};

/// Time for the user to reconsider, and for the owner of a hijacked account to notice.
const GRACE_PERIOD: Duration = Duration::from_hours(14 * 24);

/// Why a deletion was not scheduled.
#[derive(Debug, Error)]
pub enum DeletionError {
    /// The password is wrong, or there were too many attempts.
    #[error(transparent)]
    NotProved(#[from] AuthError),
    /// The account is the last active superuser.
    #[error("the last superuser stays")]
    LastSuperuser,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Schedules the deletion of the user's own account, ends its sessions, and returns when it is due.
/// Without a password the caller has reauthenticated the user in another way.
pub async fn schedule(
    ctx: &Context,
    user: &User,
    password: Option<Password>,
    info: &RequestInfo,
) -> Result<OffsetDateTime, DeletionError> {
    let verified = sessions::reauthenticate(ctx, user, password, info).await?;
    let now = ctx.clock.now();
    let due_at = now + GRACE_PERIOD;
    let user = verified.account.user.id;

    let transaction = ctx.db.begin().await?;
    // Before the account is locked, because this locks the superusers first.
    if !accounts::schedule_deletion(&transaction, user, due_at).await? {
        return Err(DeletionError::LastSuperuser);
    }
    let account = accounts::lock(&transaction, user).await?;
    let account = account
        // The password may have been changed while it was compared.
        .filter(|account| verified.still_matches(account))
        .ok_or(AuthError::WrongCredentials)?;
    verified.refund_attempt_in(&transaction).await?;
    sessions::end_all(&transaction, user, None, EndReason::Leaving, now).await?;
    let details = json!({ "due_at": due_at.unix_timestamp() });
    let event =
        AuditEvent::by_owner(user, AuditEventKind::DeletionScheduled, info).with_details(details);
    audit::record(&transaction, event, now).await?;
    let mut content = EmailContent::new(EmailKind::DeletionScheduled).about(info, now);
    content.data.due_at = Some(to_micros(due_at));
    outbox::enqueue(&transaction, &ctx.keys, &account.recipient(), &content, now).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, request.id = info.request_id, "a deletion was scheduled");
    Ok(due_at)
}

/// Deletes up to `at_most` accounts that are due, each in a transaction of its own, and returns how
/// many.
pub async fn delete_due(ctx: &Context, at_most: u64) -> Result<u64, DbError> {
    let now = ctx.clock.now();
    let patience = ctx.settings.delete_unverified_after;
    // The setting 0 keeps unverified accounts.
    let unverified_before = (!patience.is_zero()).then(|| now - patience);
    let mut gone = 0;
    for user in accounts::list_due_for_deletion(&ctx.db, unverified_before, now, at_most).await? {
        gone += u64::from(delete_if_due(ctx, user, unverified_before, now).await?);
    }
    Ok(gone)
}

async fn delete_if_due(
    ctx: &Context,
    user: UserId,
    unverified_before: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let transaction = ctx.db.begin().await?;
    // Before the account is locked, so that the last superuser is still the last when it is
    // deleted.
    accounts::lock_superusers(&transaction).await?;
    let Some(account) = accounts::lock(&transaction, user).await? else { return Ok(false) };
    // Checked again under the lock: the owner may have logged in or verified the address since.
    let owner = &account.user;
    let is_due = account.deletes_at.is_some_and(|due_at| due_at <= now);
    let never_verified = owner.email_verified_at.is_none()
        && !(owner.is_staff || owner.is_superuser)
        && unverified_before.is_some_and(|before| owner.created_at < before);
    if !(is_due || never_verified) || !accounts::delete(&transaction, user).await? {
        return Ok(false);
    }
    let program = RequestInfo::from_terminal(String::new());
    // E-mails have no foreign key, so they do not go with the account.
    outbox::delete_for_user(&transaction, user).await?;
    audit::record(&transaction, AuditEvent::on_user(user, AuditEventKind::Deleted, &program), now)
        .await?;
    // The audit log keeps what happened, without personal data.
    audit::anonymize(&transaction, user).await?;
    if is_due {
        // Without a user, because there is none any more when the e-mail is sent.
        let to = Recipient { user: None, ..account.recipient() };
        let content = EmailContent::new(EmailKind::Deleted);
        outbox::enqueue(&transaction, &ctx.keys, &to, &content, now).await?;
    }
    transaction.commit().await?;
    tracing::info!(user.id = user.0, "an account was deleted");
    Ok(true)
}

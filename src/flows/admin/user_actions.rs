//! Actions on one account: one action, one transaction, one audit event.
//!
//! The rules are those of [`crate::admin`]; nothing here adds to them.

use serde_json::json;
use time::OffsetDateTime;

use crate::accounts;
use crate::admin;
use crate::admin::{ActionRequest, Actor, AdminError, lock_target};
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{Secret, UserId};

/// Does an action to an account. Writes nothing when the account already is as the action would
/// leave it.
pub async fn perform(
    ctx: &Context,
    actor: Actor<'_>,
    target: UserId,
    request: &ActionRequest,
) -> Result<(), AdminError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let done = admin::perform(&transaction, actor, target, request, json!({}), now).await?;
    if let Some(done) = done {
        transaction.commit().await?;
        admin::log_change(actor, target, done.kind);
    }
    Ok(())
}

/// Creates a link for a new password and returns it; with `by_email` it is also sent to the user.
pub async fn create_reset_link(
    ctx: &Context,
    actor: Actor<'_>,
    target: UserId,
    by_email: bool,
) -> Result<Secret, AdminError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let locked = lock_target(&transaction, actor, target).await?;
    // The link allows its holder to log in as the target.
    if !locked.may_be_taken_over(&transaction).await? {
        return Err(AdminError::Forbidden);
    }
    let reset = Purpose::ResetPassword;
    // Only the newest link works.
    links::revoke(&transaction, target, &[reset], OffsetDateTime::UNIX_EPOCH, now).await?;
    let link = links::create(ctx, &transaction, reset, target, None).await?;
    if by_email {
        let content = EmailContent::new(EmailKind::ResetPassword).with_link(link.clone());
        let to = locked.account.recipient();
        outbox::enqueue(&transaction, &ctx.keys, &to, &content, now).await?;
    }
    let (kind, details) = (AuditEventKind::ResetLinkCreated, json!({ "by_email": by_email }));
    admin::record_event(&transaction, actor, target, kind, details, now).await?;
    transaction.commit().await?;
    admin::log_change(actor, target, kind);
    Ok(link)
}

/// Makes the password unusable and ends every session.
pub async fn lock_password(
    ctx: &Context,
    actor: Actor<'_>,
    target: UserId,
) -> Result<(), AdminError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let locked = lock_target(&transaction, actor, target).await?;
    if target != actor.user.id {
        locked.must_not_outrank(&transaction).await?;
    }
    accounts::set_password(&transaction, target, None, now).await?;
    sessions::end_all(&transaction, target, None, EndReason::PasswordChanged, now).await?;
    let kind = AuditEventKind::PasswordLocked;
    admin::record_event(&transaction, actor, target, kind, json!({}), now).await?;
    transaction.commit().await?;
    admin::log_change(actor, target, kind);
    Ok(())
}

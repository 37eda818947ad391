//! Creates the link of an e-mail that was only requested so far.
//!
//! This happens while e-mails are sent and not in the request of the visitor, who could tell from
//! its duration whether an address has an account.

use time::OffsetDateTime;

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::{ClaimedEmail, Recipient};
use crate::throttle::ThrottleError;
use crate::types::{RequestInfo, UserId};

/// Returns the e-mail with its content: a requested link is created now, once. Without an account
/// that needs the link, discards the e-mail.
pub(super) async fn prepare(
    ctx: &Context,
    email: ClaimedEmail,
) -> Result<Option<ClaimedEmail>, DbError> {
    let kind = email.content.kind;
    let is_asked_for = matches!(kind, EmailKind::ResetPassword | EmailKind::VerifyEmail);
    if email.content.link.is_some() || !is_asked_for {
        return Ok(Some(email));
    }
    let account = accounts::find_by_email(&ctx.db, &email.to.email).await?;
    let Some(account) = account.filter(|account| needs_link(account, kind)) else {
        outbox::discard(&ctx.db, &email).await?;
        return Ok(None);
    };
    if outbox::is_expired(&email, ctx.clock.now()) {
        // It will not be sent, so no link that works is replaced by its own.
        return Ok(Some(email));
    }
    let user = account.user.id;
    if kind == EmailKind::VerifyEmail && !may_send_verification(ctx, user).await? {
        outbox::discard(&ctx.db, &email).await?;
        return Ok(None);
    }
    make_links(ctx, user, email).await
}

/// Returns whether an account needs the link of such an e-mail.
fn needs_link(account: &Account, kind: EmailKind) -> bool {
    let is_proved = account.user.email_verified_at.is_some();
    account.is_active && !(kind == EmailKind::VerifyEmail && is_proved)
}

/// Counts a verification e-mail; returns `false` when there were enough.
async fn may_send_verification(ctx: &Context, user: UserId) -> Result<bool, DbError> {
    match accounts::count_verification_email(ctx, user).await {
        Ok(()) => Ok(true),
        Err(ThrottleError::TooSoon(_)) => {
            tracing::info!(user.id = user.0, "no e-mail: there were enough");
            Ok(false)
        }
        Err(ThrottleError::Database(error)) => Err(error),
    }
}

async fn make_links(
    ctx: &Context,
    user: UserId,
    mut email: ClaimedEmail,
) -> Result<Option<ClaimedEmail>, DbError> {
    let now = ctx.clock.now();
    let kind = email.content.kind;
    let transaction = ctx.db.begin().await?;
    // The account is locked, so of several requests the last link is the one that works.
    let account = accounts::lock(&transaction, user).await?;
    let Some(account) = account.filter(|account| needs_link(account, kind)) else {
        return Ok(None);
    };
    let to: Recipient = account.recipient();
    let words = with_links(ctx, &transaction, user, &to, email.content.clone()).await?;
    if !outbox::set_content(&transaction, &ctx.keys, &email, &to, &words).await? {
        // Another node has claimed the e-mail, and creates the link.
        return Ok(None);
    }
    if kind == EmailKind::ResetPassword {
        let info = requester(ctx, &words);
        audit::record(
            &transaction,
            AuditEvent::on_user(user, AuditEventKind::PasswordResetRequested, &info),
            now,
        )
        .await?;
    }
    transaction.commit().await?;
    (email.to, email.content) = (to, words);
    Ok(Some(email))
}

/// Creates the links of a requested e-mail.
async fn with_links(
    ctx: &Context,
    transaction: &Transaction,
    user: UserId,
    to: &Recipient,
    request: EmailContent,
) -> Result<EmailContent, DbError> {
    let now = ctx.clock.now();
    if request.kind == EmailKind::VerifyEmail {
        let purposes = [Purpose::VerifyEmail, Purpose::NotMe];
        let [link, not_me] =
            links::create_each(ctx, transaction, purposes, user, Some(&to.email)).await?;
        return Ok(request.with_link(link).with_not_me(not_me));
    }
    let reset = Purpose::ResetPassword;
    // Of reset links only the last one works.
    links::revoke(transaction, user, &[reset], OffsetDateTime::UNIX_EPOCH, now).await?;
    let link = links::create(ctx, transaction, reset, user, None).await?;
    Ok(request.with_link(link))
}

/// Returns the request for the link, as far as the e-mail holds it.
fn requester(ctx: &Context, email: &EmailContent) -> RequestInfo {
    let address = email.data.ip.as_deref().and_then(|ip| ip.parse().ok());
    let user_agent = email.data.user_agent.as_deref().unwrap_or_default();
    RequestInfo::new(address, user_agent, ctx.random.request_id(), None)
}

//! "This wasn't me": a link in an e-mail ends every session, locks the password and sends the owner a
//! link to choose another one.
//!
//! Undoing a change of address does the same, after it has moved the account back.

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::{Link, LinkError, Purpose};
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::sessions;
use crate::sessions::EndReason;
use crate::social;
use crate::types::{RequestInfo, Secret};

/// Follows the link of an e-mail about something that the owner did not do.
pub async fn report(ctx: &Context, token: &Secret, info: &RequestInfo) -> Result<(), LinkError> {
    let link = find(ctx, token, Purpose::NotMe).await?;
    let (transaction, account) = begin(ctx, &link).await?;
    // The link was sent to the address that the account had then.
    let is_about_it =
        link.email.as_ref().is_some_and(|it| it.canonical() == account.user.email.canonical());
    let now = ctx.clock.now();
    if !is_about_it || !links::consume(&transaction, token, Purpose::NotMe, now).await? {
        return Err(LinkError::Invalid);
    }
    lock_account(ctx, &transaction, &account, AuditEventKind::CompromiseReported, info).await?;
    finish(transaction, &account).await
}

/// Moves an account back to the address of the link, also when its address was changed again since.
pub async fn undo_email_change(
    ctx: &Context,
    token: &Secret,
    info: &RequestInfo,
) -> Result<(), LinkError> {
    let link = find(ctx, token, Purpose::UndoEmailChange).await?;
    let (transaction, mut account) = begin(ctx, &link).await?;
    let now = ctx.clock.now();
    let old = link.email.ok_or(LinkError::Invalid)?;
    if !links::consume(&transaction, token, Purpose::UndoEmailChange, now).await?
        || !accounts::change_email(&transaction, link.user, &old, true, now).await?
    {
        return Err(LinkError::Invalid);
    }
    // Also the undo links of later changes, so that the first owner has the last word.
    let later = [Purpose::UndoEmailChange];
    links::revoke(&transaction, link.user, &later, link.created_at, now).await?;
    // The e-mail with the link to a new password must go to the old address.
    account.user.email = old;
    lock_account(ctx, &transaction, &account, AuditEventKind::EmailChangeUndone, info).await?;
    finish(transaction, &account).await
}

async fn find(ctx: &Context, token: &Secret, purpose: Purpose) -> Result<Link, LinkError> {
    let link = links::find(&ctx.db, token, ctx.clock.now()).await?;
    link.filter(|link| link.purpose == purpose).ok_or(LinkError::Invalid)
}

async fn begin(ctx: &Context, link: &Link) -> Result<(Transaction, Account), LinkError> {
    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, link.user).await?;
    let account = account.filter(|account| account.is_active).ok_or(LinkError::Invalid)?;
    Ok((transaction, account))
}

/// Removes the password and the connected providers, ends every session, and sends a link to a new
/// password to the account's address.
async fn lock_account(
    ctx: &Context,
    transaction: &Transaction,
    account: &Account,
    action: AuditEventKind,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let user = account.user.id;
    // The attacker may know the password or have connected a provider.
    accounts::set_password(transaction, user, None, now).await?;
    social::disconnect_all(transaction, account, info, now).await?;
    sessions::end_all(transaction, user, None, EndReason::NotMe, now).await?;
    audit::record(transaction, AuditEvent::by_owner(user, action, info), now).await?;
    // A new link, and no form right away: the one that was followed works for a week and may lie in
    // an archive, this one for an hour.
    let link = links::create(ctx, transaction, Purpose::ResetPassword, user, None).await?;
    let content = EmailContent::new(EmailKind::AccountLocked).with_link(link).about(info, now);
    outbox::enqueue(transaction, &ctx.keys, &account.recipient(), &content, now).await?;
    Ok(())
}

async fn finish(transaction: Transaction, account: &Account) -> Result<(), LinkError> {
    transaction.commit().await?;
    tracing::warn!(user.id = account.user.id.0, "an account was locked by its owner's e-mail");
    Ok(())
}

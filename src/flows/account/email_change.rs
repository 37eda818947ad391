//! Changing the address of an account: the new address is verified, and the owner of the old one is
//! notified and can undo the change for a week.
//!
//! Only the owner of an address learns that it is taken.

use std::time::Duration;

use serde_json::json;
use thiserror::Error;

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::{LinkError, Purpose};
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::sessions;
use crate::sessions::AuthError;
use crate::throttle;
use crate::throttle::Limit;
use crate::types::{Email, Password, RequestInfo, Secret, User};

/// Limits e-mails to addresses that a user chooses: five a day are enough for a user who mistypes.
const BY_USER: Limit = Limit {
    name: "email-change",
    // The fifth is still sent, and starts the first wait.
    free: 4,
    forgets_one_in: Duration::from_hours(12),
    first_wait: Duration::from_hours(1),
    longest_wait: Duration::from_hours(24),
};

/// Why a change was not started.
#[derive(Debug, Error)]
pub enum EmailChangeError {
    /// It is the current address of the account.
    #[error("it is the same address")]
    Same,
    /// The address is local, so no mail leaves this network for it, and the settings do not allow that.
    #[error("a local address")]
    LocalEmail,
    /// The password is wrong, or there were too many attempts.
    #[error(transparent)]
    NotProved(#[from] AuthError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Starts a change: sends an e-mail to the new address. Without a password the caller has
/// reauthenticated the user in another way.
pub async fn request(
    ctx: &Context,
    user: &User,
    password: Option<Password>,
    new: Email,
    info: &RequestInfo,
) -> Result<(), EmailChangeError> {
    if !ctx.settings.accepts_email(&new) {
        return Err(EmailChangeError::LocalEmail);
    }
    let verified = sessions::reauthenticate(ctx, user, password, info).await?;
    let user = verified.account.user.id;
    if new.canonical() == verified.account.user.email.canonical() {
        // The password was right, so it counts as no guess.
        verified.refund_attempt(ctx).await?;
        return Err(EmailChangeError::Same);
    }
    let now = ctx.clock.now();
    let attempts = [BY_USER.on(&user.to_string())];
    if let Err(error) = throttle::check_rate_limit(&ctx.db, &attempts, now).await {
        verified.refund_attempt(ctx).await?;
        return Err(AuthError::from(error).into());
    }

    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?;
    let account = account
        // The password may have been changed while it was compared.
        .filter(|account| verified.still_matches(account))
        .ok_or(AuthError::WrongCredentials)?;
    verified.refund_attempt_in(&transaction).await?;
    send_confirmation(ctx, &transaction, &account, &new, info).await?;
    let details = json!({ "to": new.as_typed() });
    let event = AuditEvent::by_owner(user, AuditEventKind::EmailChangeRequested, info)
        .with_details(details);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    tracing::info!(
        user.id = user.0,
        request.id = info.request_id,
        "an address change was asked for"
    );
    Ok(())
}

/// Sends the e-mail to the new address: a link, or a notice to its owner that it is in use.
async fn send_confirmation(
    ctx: &Context,
    transaction: &Transaction,
    account: &Account,
    new: &Email,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let user = account.user.id;
    let every = time::OffsetDateTime::UNIX_EPOCH;
    // Only the newest link works.
    links::revoke(transaction, user, &[Purpose::ChangeEmail], every, now).await?;
    // Created in either case, so that both take the same time.
    let link = links::create(ctx, transaction, Purpose::ChangeEmail, user, Some(new)).await?;
    let (to, content) = match accounts::find_by_email(transaction, new).await? {
        Some(owner) if !owner.is_active => return Ok(()),
        Some(owner) => (owner.recipient(), EmailContent::new(EmailKind::AddressInUse)),
        None => {
            let (email, language) = (new.clone(), account.user.language);
            let content = EmailContent::new(EmailKind::ConfirmNewEmail).with_link(link);
            (Recipient { user: Some(user), email, language }, content)
        }
    };
    outbox::enqueue(transaction, &ctx.keys, &to, &content.about(info, now), now).await
}

/// Moves the account to the address of the link, and notifies the old address.
pub async fn confirm(ctx: &Context, token: &Secret, info: &RequestInfo) -> Result<(), LinkError> {
    let now = ctx.clock.now();
    let link = links::find(&ctx.db, token, now).await?;
    let link = link.filter(|link| link.purpose == Purpose::ChangeEmail);
    let link = link.ok_or(LinkError::Invalid)?;
    let new = link.email.ok_or(LinkError::Invalid)?;
    let user = link.user;

    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?.filter(|account| account.is_active);
    let account = account.ok_or(LinkError::Invalid)?;
    if !links::consume(&transaction, token, Purpose::ChangeEmail, now).await? {
        return Err(LinkError::Invalid);
    }
    // Another account may have taken the address since the link was sent.
    if !accounts::change_email(&transaction, user, &new, true, now).await? {
        // The transaction must not be committed, so the link is used up in another one.
        drop(transaction);
        consume_link(ctx, token).await?;
        return Err(LinkError::Invalid);
    }
    let old = &account.user.email;
    // The first owner has the last word: an attacker may have changed the address.
    let undo = links::create(ctx, &transaction, Purpose::UndoEmailChange, user, Some(old)).await?;
    let mut content = EmailContent::new(EmailKind::EmailChanged).with_link(undo).about(info, now);
    content.data.email = Some(new.as_typed().to_owned());
    // `account` was read before the change, so this goes to the old address.
    outbox::enqueue(&transaction, &ctx.keys, &account.recipient(), &content, now).await?;
    let details = json!({ "from": old.as_typed(), "to": new.as_typed() });
    let event =
        AuditEvent::by_owner(user, AuditEventKind::EmailChanged, info).with_details(details);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, request.id = info.request_id, "the address was changed");
    Ok(())
}

/// Uses up a link whose address belongs to another account, so that it stays invalid when the
/// address becomes free again.
async fn consume_link(ctx: &Context, token: &Secret) -> Result<(), DbError> {
    let transaction = ctx.db.begin().await?;
    links::consume(&transaction, token, Purpose::ChangeEmail, ctx.clock.now()).await?;
    transaction.commit().await
}

//! Connects and disconnects identities of a locked account, with their audit events and e-mails.

use serde_json::json;
use time::OffsetDateTime;

use super::{Identity, connect, store};
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::oauth::ProviderUser;
use crate::outbox;
use crate::types::RequestInfo;

/// Connects a provider's user to an account, and notifies its owner by e-mail. Returns `false` when it
/// is connected to an account already.
pub async fn connect_and_notify(
    ctx: &Context,
    transaction: &Transaction,
    owner: &Account,
    slug: &str,
    provider_user: &ProviderUser,
    info: &RequestInfo,
) -> Result<bool, DbError> {
    let (user, now) = (owner.user.id, ctx.clock.now());
    if !connect(transaction, user, slug, provider_user, now).await? {
        return Ok(false);
    }
    let event = AuditEvent::by_owner(user, AuditEventKind::SocialConnected, info);
    audit::record(transaction, event.with_details(json!({ "provider": slug })), now).await?;
    let not_me =
        links::create(ctx, transaction, Purpose::NotMe, user, Some(&owner.user.email)).await?;
    let mut content =
        EmailContent::new(EmailKind::SocialConnected).with_not_me(not_me).about(info, now);
    content.data.provider = Some(slug.to_owned());
    outbox::enqueue(transaction, &ctx.keys, &owner.recipient(), &content, now).await?;
    Ok(true)
}

/// Disconnects every identity of an account.
pub async fn disconnect_all(
    transaction: &Transaction,
    owner: &Account,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let gone = store::delete_of_user(transaction, owner.user.id, None).await?;
    record_disconnected(transaction, owner, gone, info, now).await
}

/// Disconnects the identities that were connected before the account's address was verified: all of them
/// if it never was.
pub async fn disconnect_unverified(
    transaction: &Transaction,
    owner: &Account,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    // A stranger may have signed up with this address and connected a provider.
    let verified_at = owner.user.email_verified_at;
    let gone = store::delete_of_user(transaction, owner.user.id, verified_at).await?;
    record_disconnected(transaction, owner, gone, info, now).await
}

async fn record_disconnected(
    transaction: &Transaction,
    owner: &Account,
    gone: Vec<Identity>,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    for identity in gone {
        let event = AuditEvent::by_owner(owner.user.id, AuditEventKind::SocialDisconnected, info);
        let event = event.with_details(json!({ "provider": identity.provider }));
        audit::record(transaction, event, now).await?;
    }
    Ok(())
}

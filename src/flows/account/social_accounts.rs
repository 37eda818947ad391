//! One's own providers: connecting another one, disconnecting one, and proving by one once more.

use serde_json::json;
use thiserror::Error;

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::oauth::ProviderUser;
use crate::sessions;
use crate::social;
use crate::types::{RequestInfo, SessionId, UserId};

/// Why nothing was connected or proved.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Somebody else is meant, or the account may not be used; which of both is not told.
    #[error("it is not for this account")]
    Refused,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Why an identity stays.
#[derive(Debug, Error)]
pub enum DisconnectError {
    /// There is none such, or it is the last way to sign in.
    #[error("the last way to sign in stays")]
    Stays,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Connects a person of a provider to the account of whoever is signed in, unless this person opens an
/// account already.
///
/// # Errors
/// [`ConnectError`] says why not.
pub async fn connect(
    ctx: &Context,
    user: UserId,
    (slug, provider_user): (&str, &ProviderUser),
    info: &RequestInfo,
) -> Result<(), ConnectError> {
    let (transaction, owner) = begin(ctx, user).await?;
    if !social::connect_and_notify(ctx, &transaction, &owner, (slug, provider_user), info).await? {
        return Err(ConnectError::Refused);
    }
    transaction.commit().await?;
    let id = info.request_id.as_str();
    tracing::info!(user.id = user.0, provider = slug, request.id = id, "a provider was connected");
    Ok(())
}

/// Notes in the session that its owner, who has no password, has just been proved by a provider.
///
/// # Errors
/// [`ConnectError`] when the provider knows somebody else, or there is a password.
pub async fn reauthenticate(
    ctx: &Context,
    (user, session): (UserId, SessionId),
    (slug, provider_user): (&str, &ProviderUser),
    info: &RequestInfo,
) -> Result<(), ConnectError> {
    let now = ctx.clock.now();
    let (transaction, owner) = begin(ctx, user).await?;
    let has_password = owner.password_hash.is_some();
    if has_password || !social::record_use(&transaction, user, provider_user, now).await? {
        return Err(ConnectError::Refused);
    }
    sessions::record_reauthentication(&transaction, session, now).await?;
    let event =
        AuditEvent::by_owner(user, AuditEventKind::Reauthenticated, info).in_session(session);
    audit::record(&transaction, event.with_details(json!({ "provider": slug })), now).await?;
    transaction.commit().await?;
    Ok(())
}

/// Takes an identity from the account of whoever is signed in, unless it is the last way to sign in.
/// Two of them at once take turns.
///
/// # Errors
/// [`DisconnectError`] says why not.
pub async fn disconnect(
    ctx: &Context,
    user: UserId,
    identity: i64,
    info: &RequestInfo,
) -> Result<(), DisconnectError> {
    let providers = social::list_active(ctx).await?;
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let owner = accounts::lock(&transaction, user).await?.ok_or(DisconnectError::Stays)?;
    let has_password = owner.password_hash.is_some();
    let gone = social::disconnect(&transaction, user, identity, &providers, has_password).await?;
    let gone = gone.ok_or(DisconnectError::Stays)?;
    let event = AuditEvent::by_owner(user, AuditEventKind::SocialDisconnected, info);
    audit::record(&transaction, event.with_details(json!({ "provider": gone.provider })), now)
        .await?;
    transaction.commit().await?;
    let (slug, id) = (gone.provider, info.request_id.as_str());
    tracing::info!(
        user.id = user.0,
        provider = slug,
        request.id = id,
        "a provider was disconnected"
    );
    Ok(())
}

async fn begin(ctx: &Context, user: UserId) -> Result<(Transaction, Account), ConnectError> {
    let transaction = ctx.db.begin().await?;
    let owner = accounts::lock(&transaction, user).await?.filter(|owner| owner.is_active);
    Ok((transaction, owner.ok_or(ConnectError::Refused)?))
}

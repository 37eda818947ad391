//! The user's own connected providers: connecting one, disconnecting one, and reauthentication by one.

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

/// Why a provider was not connected, or did not reauthenticate the user.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The identity belongs to another account, or the account is inactive; which of the two is not
    /// revealed.
    #[error("it is not for this account")]
    Refused,
    /// It is connected to this account already.
    #[error("it is connected already")]
    AlreadyConnected,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Why a provider was not disconnected.
#[derive(Debug, Error)]
pub enum DisconnectError {
    /// The account has no such identity.
    #[error("it is not connected")]
    NotConnected,
    /// It is the last way to log in.
    #[error("the last way to sign in stays")]
    LastMethod,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Connects a provider's user to the account of the signed-in user, unless it is connected to an
/// account already.
pub async fn connect(
    ctx: &Context,
    user: UserId,
    slug: &str,
    provider_user: &ProviderUser,
    info: &RequestInfo,
) -> Result<(), ConnectError> {
    let (transaction, owner) = begin(ctx, user).await?;
    // Not an error for a client that repeats a request whose answer was lost.
    if social::find_user(&transaction, provider_user).await? == Some(user) {
        return Err(ConnectError::AlreadyConnected);
    }
    if !social::connect_and_notify(ctx, &transaction, &owner, slug, provider_user, info).await? {
        return Err(ConnectError::Refused);
    }
    transaction.commit().await?;
    let id = info.request_id.as_str();
    tracing::info!(user.id = user.0, provider = slug, request.id = id, "a provider was connected");
    Ok(())
}

/// Records in the session that a provider has just reauthenticated its owner, who has no password.
///
/// # Errors
/// [`ConnectError`] when the provider identified another user, or the account has a password.
pub async fn reauthenticate(
    ctx: &Context,
    user: UserId,
    session: SessionId,
    slug: &str,
    provider_user: &ProviderUser,
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

/// Disconnects an identity of the signed-in user, unless it is the last way to log in.
pub async fn disconnect(
    ctx: &Context,
    user: UserId,
    identity: i64,
    info: &RequestInfo,
) -> Result<(), DisconnectError> {
    let providers = social::list_active(ctx).await?;
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // The lock serializes two attempts at once, which could each leave only the other's identity.
    let owner = accounts::lock(&transaction, user).await?.ok_or(DisconnectError::NotConnected)?;
    let has_password = owner.password_hash.is_some();
    let gone = social::disconnect(&transaction, user, identity, &providers, has_password).await?;
    let Some(gone) = gone else {
        let is_connected = social::is_connected(&transaction, user, identity).await?;
        return Err(if is_connected {
            DisconnectError::LastMethod
        } else {
            DisconnectError::NotConnected
        });
    };
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

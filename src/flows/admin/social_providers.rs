//! Registrations of the site with social log-in providers.
//!
//! Checks that the issuer answers before anything is written. Does not decide how a provider is
//! used to log in.

use serde_json::{Value, json};
use thiserror::Error;

use crate::admin::Actor;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::oauth::{ClientRegistration, OAuthError, RegistrationError};
use crate::social;
use crate::social::{Provider, ProviderInput};

/// Why a registration was not written.
#[derive(Debug, Error)]
pub enum ProviderError {
    /// The registration does not exist.
    #[error("no such provider")]
    NotFound,
    /// Fields are invalid.
    #[error("fields are wrong")]
    InvalidFields(Vec<(&'static str, RegistrationError)>),
    /// Another registration has this name in URLs.
    #[error("the name is taken")]
    SlugTaken,
    /// The issuer does not answer, or names another issuer.
    #[error(transparent)]
    Issuer(#[from] OAuthError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Registers a provider after its issuer has answered.
pub async fn create(
    ctx: &Context,
    actor: Actor<'_>,
    input: &ProviderInput,
) -> Result<(), ProviderError> {
    let registration =
        ClientRegistration::parse(&input.registration).map_err(ProviderError::InvalidFields)?;
    // Before the transaction: an issuer may take seconds to answer.
    ctx.oauth.check_issuer(&registration, ctx.clock.now()).await?;
    let transaction = ctx.db.begin().await?;
    let id = social::create_provider(ctx, &transaction, &registration, input).await?;
    let id = id.ok_or(ProviderError::SlugTaken)?;
    let changes = json!({ "slug": [Value::Null, registration.slug] });
    finish(ctx, actor, transaction, AuditEventKind::ProviderAdded, id, changes).await
}

/// Changes a registration, except its kind and its name in URLs.
pub async fn update(
    ctx: &Context,
    actor: Actor<'_>,
    provider: &Provider,
    input: &ProviderInput,
) -> Result<(), ProviderError> {
    let id = provider.id.ok_or(ProviderError::NotFound)?;
    let before = &provider.registration;
    let mut input = input.clone();
    // Identities and the provider's console hold the name in URLs.
    input.registration.provider = before.kind.as_str().into();
    input.registration.slug.clone_from(&before.slug);
    let is_secret_new = !input.registration.client_secret.trim().is_empty();
    if let (false, Some(secret)) = (is_secret_new, &before.client_secret) {
        // The form never shows the stored secret, so an empty field means that it stays.
        input.registration.client_secret = secret.expose().to_owned();
    }
    let registration =
        ClientRegistration::parse(&input.registration).map_err(ProviderError::InvalidFields)?;
    ctx.oauth.check_issuer(&registration, ctx.clock.now()).await?;
    let transaction = ctx.db.begin().await?;
    if !social::update_provider(ctx, &transaction, id, &registration, &input).await? {
        return Err(ProviderError::NotFound);
    }
    let changes = json!({
        "client_id": [before.client_id, registration.client_id],
        // Only whether it changed: the audit log holds no secrets.
        "client_secret": is_secret_new,
        "is_active": [provider.is_active, input.is_active],
        "issuer": [before.issuer, registration.issuer],
    });
    finish(ctx, actor, transaction, AuditEventKind::ProviderChanged, id, changes).await
}

/// Deletes a registration; its users can no longer log in by it.
pub async fn delete(
    ctx: &Context,
    actor: Actor<'_>,
    provider: &Provider,
) -> Result<(), ProviderError> {
    let id = provider.id.ok_or(ProviderError::NotFound)?;
    let transaction = ctx.db.begin().await?;
    let gone =
        social::delete_provider(&transaction, provider).await?.ok_or(ProviderError::NotFound)?;
    let changes = json!({ "slug": [provider.slug(), Value::Null], "identities": gone });
    finish(ctx, actor, transaction, AuditEventKind::ProviderDeleted, id, changes).await
}

async fn finish(
    ctx: &Context,
    actor: Actor<'_>,
    transaction: Transaction,
    kind: AuditEventKind,
    id: i64,
    changes: Value,
) -> Result<(), ProviderError> {
    let details = json!({ "provider": id, "changes": changes });
    let event =
        // The event is about a provider and not about the user who acts.
        AuditEvent { target: None, ..AuditEvent::by_owner(actor.user.id, kind, actor.info) };
    audit::record(&transaction, event.with_details(details), ctx.clock.now()).await?;
    transaction.commit().await?;
    tracing::info!(
        provider.id = id,
        staff.id = actor.user.id.0,
        action = kind.as_str(),
        request.id = actor.info.request_id,
        "staff changed a provider"
    );
    Ok(())
}

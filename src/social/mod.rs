//! Social log-in: the providers with which the site is registered, and which of their users is
//! connected to which account.
//!
//! A provider's user is identified by issuer and subject, never by an address. Knows no sessions, and no
//! protocol; that is `oauth`.

mod connecting;
mod store;

use std::sync::Arc;

pub use connecting::{connect_and_notify, disconnect_all, disconnect_unverified};
use time::OffsetDateTime;

pub use store::{connect, count_identities, find_user, is_connected, record_use};

use crate::context::Context;
use crate::db::{Db, DbError, Transaction};
use crate::oauth::{ClientRegistration, RegistrationInput};
use crate::types::UserId;

/// The label under which client secrets are sealed.
const SEAL: &str = "social client secret";

/// How many providers are listed: more than a log-in page can offer.
const MAX_PROVIDERS: u64 = 50;

/// How many identities of a user are listed: more than a user connects.
const MAX_IDENTITIES: u64 = 100;

/// A provider with which the site is registered.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The ID of its row; `None` when the settings define it.
    pub id: Option<i64>,
    pub registration: ClientRegistration,
    /// Whether users may log in with it.
    pub is_active: bool,
    /// Its position on pages, the smallest first.
    pub position: i64,
}

impl Provider {
    /// Returns its name in URLs.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.registration.slug
    }
}

/// A provider as staff typed it.
#[derive(Debug, Clone)]
pub struct ProviderInput {
    /// The registration, completed by what staff left unchanged.
    pub registration: RegistrationInput,
    /// Whether users may log in with it.
    pub is_active: bool,
    /// Its position on pages.
    pub position: i64,
}

/// A provider's user that is connected to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub id: i64,
    pub user: UserId,
    /// The provider's name in URLs.
    pub provider: String,
    /// The namespace of the subject.
    pub issuer: String,
    /// The identifier at the provider.
    pub subject: String,
    /// The address or name at the provider, for display; may be empty.
    pub label: String,
    pub connected_at: OffsetDateTime,
    /// When it was last used to log in.
    pub used_at: OffsetDateTime,
}

/// Returns all providers, those of the settings first, by one statement.
pub async fn list(ctx: &Context) -> Result<Vec<Provider>, DbError> {
    let mut providers: Vec<_> = providers_in_settings(ctx).collect();
    let rows = store::list(&ctx.db, MAX_PROVIDERS).await?;
    for row in rows.into_iter().filter_map(|row| row.into_provider(ctx)) {
        // The settings take precedence.
        if !providers.iter().any(|provider| provider.slug() == row.slug()) {
            providers.push(row);
        }
    }
    Ok(providers)
}

/// Returns the providers with which users can log in now.
pub async fn list_active(ctx: &Context) -> Result<Vec<Provider>, DbError> {
    let mut providers = list(ctx).await?;
    providers.retain(|provider| provider.is_active);
    Ok(providers)
}

/// Returns the registrations for which pages have a button, cached for ten seconds. A log-in calls
/// [`find_active`], which reads the provider anew.
pub async fn list_buttons(ctx: &Context) -> Result<Arc<Vec<ClientRegistration>>, DbError> {
    let now = ctx.clock.now();
    if let Some(known) = ctx.active_providers.get(now) {
        return Ok(known);
    }
    let active = list_active(ctx).await?.into_iter().map(|provider| provider.registration);
    let active = Arc::new(active.collect());
    ctx.active_providers.set(Arc::clone(&active), now);
    Ok(active)
}

/// Returns the provider with this slug, if users can log in with it now.
pub async fn find_active(ctx: &Context, slug: &str) -> Result<Option<Provider>, DbError> {
    let provider = providers_in_settings(ctx).find(|provider| provider.slug() == slug);
    let provider = match provider {
        Some(provider) => Some(provider),
        None => store::find_by_slug(&ctx.db, slug).await?.and_then(|row| row.into_provider(ctx)),
    };
    Ok(provider.filter(|provider| provider.is_active))
}

/// Returns a provider that staff registered.
pub async fn find_provider(ctx: &Context, id: i64) -> Result<Option<Provider>, DbError> {
    Ok(store::find(&ctx.db, id).await?.and_then(|row| row.into_provider(ctx)))
}

fn providers_in_settings(ctx: &Context) -> impl Iterator<Item = Provider> {
    let registrations = ctx.settings.social.iter().cloned();
    registrations.map(|registration| Provider {
        id: None,
        registration,
        is_active: true,
        position: 0,
    })
}

/// Registers a provider. Returns `None` when its slug is taken.
pub async fn create_provider(
    ctx: &Context,
    transaction: &Transaction,
    registration: &ClientRegistration,
    input: &ProviderInput,
) -> Result<Option<i64>, DbError> {
    let is_taken = ctx.settings.social.iter().any(|it| it.slug == registration.slug);
    if is_taken {
        return Ok(None);
    }
    store::insert(ctx, transaction, registration, input, ctx.clock.now()).await
}

/// Changes a registration; its kind and slug stay. Returns `false` when it no longer exists.
pub async fn update_provider(
    ctx: &Context,
    transaction: &Transaction,
    id: i64,
    registration: &ClientRegistration,
    input: &ProviderInput,
) -> Result<bool, DbError> {
    store::update(ctx, transaction, id, registration, input, ctx.clock.now()).await
}

/// Deletes a registration with its identities. Returns how many identities were deleted, or `None` when
/// the registration no longer exists.
pub async fn delete_provider(
    transaction: &Transaction,
    provider: &Provider,
) -> Result<Option<u64>, DbError> {
    let Some(id) = provider.id else { return Ok(None) };
    if !store::delete(transaction, id).await? {
        return Ok(None);
    }
    // Some providers number users per application: under another registration with this slug, the same
    // number could be another user.
    store::delete_of_provider(transaction, provider.slug()).await.map(Some)
}

/// Disconnects an identity from a locked account, unless it is the last way to log in: the account must
/// keep a password, or another identity of one of these providers. Returns `None` when it stays, or was
/// not connected.
pub async fn disconnect(
    transaction: &Transaction,
    user: UserId,
    id: i64,
    providers: &[Provider],
    has_password: bool,
) -> Result<Option<Identity>, DbError> {
    let slugs: Vec<&str> = providers.iter().map(Provider::slug).collect();
    store::delete_identity(transaction, user, id, &slugs, has_password).await
}

/// Returns the identities of a user, in the order in which they were connected.
pub async fn list_identities(db: &Db, user: UserId) -> Result<Vec<Identity>, DbError> {
    store::list_of(db, user, MAX_IDENTITIES).await
}

/// Returns the slugs of the providers with which a user can log in now, in the order of pages.
pub async fn list_login_methods(ctx: &Context, user: UserId) -> Result<Vec<String>, DbError> {
    let identities = list_identities(&ctx.db, user).await?;
    // Most users have none, and need no second query.
    if identities.is_empty() {
        return Ok(Vec::new());
    }
    let mut slugs: Vec<String> =
        list_active(ctx).await?.iter().map(|provider| provider.slug().to_owned()).collect();
    slugs.retain(|slug| identities.iter().any(|identity| identity.provider == *slug));
    Ok(slugs)
}

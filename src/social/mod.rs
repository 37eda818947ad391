//! Social log-in: with which providers the site is registered, and who is whom there.
//!
//! A person of a provider is known by the issuer and the name that never changes there, never by an
//! address. Knows no sessions; how a provider is asked is `oauth`'s business.

mod connecting;
mod store;

use std::sync::Arc;

pub use connecting::{connect_and_notify, disconnect_all, disconnect_unverified};
use time::OffsetDateTime;

use crate::context::Context;
use crate::db::{Db, DbError, Transaction};
use crate::oauth::{ClientRegistration, ProviderUser, RegistrationInput};
use crate::types::UserId;

/// Under which the secrets of applications are sealed.
const SEAL: &str = "social client secret";

/// More providers than anybody would look for their own in.
const MAX_PROVIDERS: u64 = 50;

/// More identities than a person has.
const MAX_IDENTITIES: u64 = 100;

/// A provider with which the site is registered.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The number of its row; `None` when it stands in the settings.
    pub id: Option<i64>,
    /// The registration.
    pub registration: ClientRegistration,
    /// Whether people may come in by it.
    pub is_active: bool,
    /// Its place on pages, the smallest first.
    pub position: i64,
}

impl Provider {
    /// Its name in URLs.
    #[must_use]
    pub fn slug(&self) -> &str {
        &self.registration.slug
    }
}

/// A registration as staff want it to be.
#[derive(Debug, Clone)]
pub struct ProviderInput {
    /// What they typed, and what was kept of what they did not.
    pub registration: RegistrationInput,
    /// Whether people may come in by it.
    pub is_active: bool,
    /// Its place on pages.
    pub position: i64,
}

/// A person of a provider who opens an account here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The number of the row.
    pub id: i64,
    /// Whose account it opens.
    pub user: UserId,
    /// The provider's name in URLs.
    pub provider: String,
    /// Among whose names the subject is one.
    pub issuer: String,
    /// The name there.
    pub subject: String,
    /// The address or name there, for people; may be empty.
    pub label: String,
    /// When it was connected.
    pub connected_at: OffsetDateTime,
    /// When it last opened the account.
    pub used_at: OffsetDateTime,
}

/// All providers, those of the settings first. One statement.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list(ctx: &Context) -> Result<Vec<Provider>, DbError> {
    let mut providers: Vec<_> = providers_in_settings(ctx).collect();
    let rows = store::list(&ctx.db, MAX_PROVIDERS).await?;
    for row in rows.into_iter().filter_map(|row| row.into_provider(ctx)) {
        // The machine's owner has the last word.
        if !providers.iter().any(|provider| provider.slug() == row.slug()) {
            providers.push(row);
        }
    }
    Ok(providers)
}

/// The providers by which people may come in now.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_active(ctx: &Context) -> Result<Vec<Provider>, DbError> {
    let mut providers = list(ctx).await?;
    providers.retain(|provider| provider.is_active);
    Ok(providers)
}

/// The registrations for which pages have a button, as they were within the last ten seconds: every
/// visitor's page asks. Who sets out is looked up anew.
///
/// # Errors
/// [`DbError`] when the database cannot.
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

/// The provider of a name in URLs, if people may come in by it now.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find_active(ctx: &Context, slug: &str) -> Result<Option<Provider>, DbError> {
    let provider = providers_in_settings(ctx).find(|provider| provider.slug() == slug);
    let provider = match provider {
        Some(provider) => Some(provider),
        None => store::find_by_slug(&ctx.db, slug).await?.and_then(|row| row.into_provider(ctx)),
    };
    Ok(provider.filter(|provider| provider.is_active))
}

/// One provider of those that staff registered.
///
/// # Errors
/// [`DbError`] when the database cannot.
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

/// Registers a provider; `None` means that its name in URLs is taken.
///
/// # Errors
/// [`DbError`] when the database cannot.
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

/// Changes a registration; its kind and its name in URLs stay. `false` means that it is gone.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn update_provider(
    ctx: &Context,
    transaction: &Transaction,
    id: i64,
    registration: &ClientRegistration,
    input: &ProviderInput,
) -> Result<bool, DbError> {
    store::update(ctx, transaction, id, registration, input, ctx.clock.now()).await
}

/// Ends a registration, and with it the identities that came by it: another registration under the
/// same name may number people anew. `None` means that it was gone already; otherwise how many
/// identities went with it.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn delete_provider(
    transaction: &Transaction,
    provider: &Provider,
) -> Result<Option<u64>, DbError> {
    let Some(id) = provider.id else { return Ok(None) };
    if !store::delete(transaction, id).await? {
        return Ok(None);
    }
    store::delete_of_provider(transaction, provider.slug()).await.map(Some)
}

/// Whom a person of a provider is here.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find_user(
    transaction: &Transaction,
    provider_user: &ProviderUser,
) -> Result<Option<UserId>, DbError> {
    store::find_owner(transaction, provider_user).await
}

/// Notes that a person of a provider opens a locked account; `false` means that it does not any more.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn record_use(
    transaction: &Transaction,
    user: UserId,
    provider_user: &ProviderUser,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_used(transaction, user, provider_user, now).await
}

/// Lets a person of a provider open an account from now on. The unique index decides: `false` means
/// that this person opens an account already.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn connect(
    transaction: &Transaction,
    user: UserId,
    slug: &str,
    provider_user: &ProviderUser,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::insert_identity(transaction, user, slug, provider_user, now).await
}

/// Takes an identity from a locked account, unless it is the last way to sign in: there is a password,
/// or another identity by one of these providers. `None` means that it stays, or was not there.
///
/// # Errors
/// [`DbError`] when the database cannot.
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

/// The identities of a person, in the order in which they were connected.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_identities(db: &Db, user: UserId) -> Result<Vec<Identity>, DbError> {
    store::list_of(db, user, MAX_IDENTITIES).await
}

/// The names of the providers by which a person may come in now, in the order in which pages show them.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_login_methods(ctx: &Context, user: UserId) -> Result<Vec<String>, DbError> {
    let identities = list_identities(&ctx.db, user).await?;
    if identities.is_empty() {
        return Ok(Vec::new());
    }
    let mut slugs: Vec<String> =
        list_active(ctx).await?.iter().map(|provider| provider.slug().to_owned()).collect();
    slugs.retain(|slug| identities.iter().any(|identity| identity.provider == *slug));
    Ok(slugs)
}

/// How many people came by a provider, counted up to `at_most`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn count_identities(db: &Db, slug: &str, at_most: u64) -> Result<u64, DbError> {
    store::count_of(db, slug, at_most).await
}

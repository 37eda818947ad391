//! The provider buttons, for every page that has them.

use crate::context::Context;
use crate::db::DbError;
use crate::oauth::ClientRegistration;
use crate::social;
use crate::types::UserId;
use crate::web::labels::provider_name;
use crate::web::page::PageContext;

/// A provider's button.
pub(in crate::web) struct LoginMethod {
    pub slug: String,
    pub name: String,
}

/// Returns a button for each provider, and the origins that the buttons lead to.
pub(crate) async fn list(
    ctx: &Context,
    page: &PageContext,
) -> Result<(Vec<LoginMethod>, Vec<String>), DbError> {
    Ok(buttons(social::list_buttons(ctx).await?.iter(), page))
}

/// Returns the same for the providers that this user has connected.
pub(crate) async fn list_of_user(
    ctx: &Context,
    page: &PageContext,
    user: UserId,
) -> Result<(Vec<LoginMethod>, Vec<String>), DbError> {
    let login_methods = social::list_login_methods(ctx, user).await?;
    let registrations = social::list_buttons(ctx).await?;
    Ok(buttons(registrations.iter().filter(|it| login_methods.contains(&it.slug)), page))
}

pub(crate) fn buttons<'a>(
    registrations: impl Iterator<Item = &'a ClientRegistration> + Clone,
    page: &PageContext,
) -> (Vec<LoginMethod>, Vec<String>) {
    let origins = registrations.clone().filter_map(ClientRegistration::origin).collect();
    let login_methods = registrations
        .map(|it| LoginMethod { slug: it.slug.clone(), name: provider_name(it, page) });
    (login_methods.collect(), origins)
}

/// Returns the name of the provider with this slug, or the slug where there is no such provider.
pub(in crate::web) async fn provider_name_of(
    ctx: &Context,
    page: &PageContext,
    slug: &str,
) -> Result<String, DbError> {
    let buttons = social::list_buttons(ctx).await?;
    let provider = buttons.iter().find(|it| it.slug == slug);
    Ok(provider.map_or_else(|| slug.to_owned(), |it| provider_name(it, page)))
}

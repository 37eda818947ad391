//! The provider buttons, for every page that has them.

use crate::db::DbError;
use crate::oauth::ClientRegistration;
use crate::social;
use crate::types::UserId;
use crate::web::labels::provider_name;
use crate::web::page::PageContext;
use crate::web::request_context::RequestContext;

/// A provider's button.
pub(in crate::web) struct LoginMethod {
    pub slug: String,
    pub name: String,
}

/// Returns a button for each provider, and the origins that the buttons lead to.
pub(crate) async fn list(
    request: &RequestContext<'_>,
) -> Result<(Vec<LoginMethod>, Vec<String>), DbError> {
    Ok(buttons(social::list_buttons(request.context).await?.iter(), &request.page))
}

/// Returns the same for the providers that this user has connected.
pub(crate) async fn list_of_user(
    request: &RequestContext<'_>,
    user: UserId,
) -> Result<(Vec<LoginMethod>, Vec<String>), DbError> {
    let login_methods = social::list_login_methods(request.context, user).await?;
    let registrations = social::list_buttons(request.context).await?;
    let own = registrations.iter().filter(|it| login_methods.contains(&it.slug));
    Ok(buttons(own, &request.page))
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
    request: &RequestContext<'_>,
    slug: &str,
) -> Result<String, DbError> {
    let buttons = social::list_buttons(request.context).await?;
    let provider = buttons.iter().find(|it| it.slug == slug);
    Ok(provider.map_or_else(|| slug.to_owned(), |it| provider_name(it, &request.page)))
}

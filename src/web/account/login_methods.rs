//! The provider buttons, for every page that has them.

use crate::context::Context;
use crate::db::DbError;
use crate::oauth::{Application, Kind};
use crate::social;
use crate::types::UserId;
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
    let login_methods = social::ways_of(ctx, user).await?;
    let applications = social::list_buttons(ctx).await?;
    Ok(buttons(applications.iter().filter(|it| login_methods.contains(&it.slug)), page))
}

pub(crate) fn buttons<'a>(
    applications: impl Iterator<Item = &'a Application> + Clone,
    page: &PageContext,
) -> (Vec<LoginMethod>, Vec<String>) {
    let origins = applications.clone().filter_map(Application::origin).collect();
    let login_methods =
        applications.map(|it| LoginMethod { slug: it.slug.clone(), name: provider_name(it, page) });
    (login_methods.collect(), origins)
}

/// Returns a provider's name: the one from the settings, or its usual one.
pub(in crate::web) fn provider_name(application: &Application, page: &PageContext) -> String {
    match application.name.as_str() {
        "" if application.kind == Kind::Oidc => application.slug.clone(),
        "" => page.t(provider_label(application.kind)).into_owned(),
        name => name.to_owned(),
    }
}

/// Returns the translation key of a provider's usual name; a new kind does not compile without one.
pub(in crate::web) fn provider_label(kind: Kind) -> &'static str {
    match kind {
        Kind::Kakao => "social_provider.kakao",
        Kind::Naver => "social_provider.naver",
        Kind::Google => "social_provider.google",
        Kind::Facebook => "social_provider.facebook",
        Kind::GitHub => "social_provider.github",
        Kind::Oidc => "social_provider.oidc",
    }
}

//! The buttons that lead to providers, on every page that has them.

use crate::context::Ctx;
use crate::db::DbError;
use crate::oauth::{Application, Kind};
use crate::social;
use crate::types::UserId;
use crate::web::page::Frame;

/// One button.
pub(in crate::web) struct Way {
    pub slug: String,
    pub name: String,
}

/// A button for each provider, and the origins that they lead to.
pub(crate) async fn of(ctx: &Ctx, frame: &Frame) -> Result<(Vec<Way>, Vec<String>), DbError> {
    Ok(shown(social::list_buttons(ctx).await?.iter(), frame))
}

/// A button for each provider that lets this person in.
pub(crate) async fn of_person(
    ctx: &Ctx,
    frame: &Frame,
    person: UserId,
) -> Result<(Vec<Way>, Vec<String>), DbError> {
    let ways = social::ways_of(ctx, person).await?;
    let buttons = social::list_buttons(ctx).await?;
    Ok(shown(buttons.iter().filter(|it| ways.contains(&it.slug)), frame))
}

pub(crate) fn shown<'a>(
    applications: impl Iterator<Item = &'a Application> + Clone,
    frame: &Frame,
) -> (Vec<Way>, Vec<String>) {
    let origins = applications.clone().filter_map(Application::origin).collect();
    let ways = applications.map(|it| Way { slug: it.slug.clone(), name: name_of(it, frame) });
    (ways.collect(), origins)
}

/// What a provider is called: as staff call it, or as it calls itself.
pub(in crate::web) fn name_of(application: &Application, frame: &Frame) -> String {
    match application.name.as_str() {
        "" if application.kind == Kind::Oidc => application.slug.clone(),
        "" => frame.t(kind(application.kind)).into_owned(),
        name => name.to_owned(),
    }
}

/// The key of what a kind of provider is called: a new one does not compile without.
pub(in crate::web) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Kakao => "social_provider.kakao",
        Kind::Naver => "social_provider.naver",
        Kind::Google => "social_provider.google",
        Kind::Facebook => "social_provider.facebook",
        Kind::GitHub => "social_provider.github",
        Kind::Oidc => "social_provider.oidc",
    }
}

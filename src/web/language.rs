//! The language buttons at the foot of every page.

use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, post, routes};

use super::error::Error;
use super::forms::{Hidden, Submitted, form};
use crate::context::Context;
use crate::flows;
use crate::http::cookies;
use crate::http::guards::Visitor;
use crate::http::next;
use crate::i18n::Language;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

form! {
    struct LanguageForm {
        language: Hidden,
        next: Hidden,
    }
}

/// Stores the language. The buttons send one of two tags; anything else did not come from them and
/// is 422.
#[post("/language", data = "<form>")]
async fn create(
    form: Submitted<LanguageForm>,
    visitor: Visitor,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Redirect, Error> {
    let Some(language) = Language::from_tag(&form.language) else {
        return Err(Status::UnprocessableEntity.into());
    };
    // E-mails follow the language of the pages.
    if let Visitor(Some(user)) = visitor {
        flows::account::profile::set_language(ctx, user.user(), language).await?;
    }
    cookies::set_language(jar, ctx, language);
    Ok(Redirect::to(next::or_home(&form.next)))
}

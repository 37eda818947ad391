//! Choosing a language.

use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, post, routes};

use super::form::Submitted;
use super::{cookies, next};
use crate::ctx::Ctx;
use crate::i18n::Language;

pub(super) fn routes() -> Vec<Route> {
    routes![create]
}

#[derive(FromForm)]
struct LanguageForm {
    #[field(default = String::new())]
    language: String,
    #[field(default = String::new())]
    next: String,
}

/// The buttons know two languages; whoever sends another is not using them.
#[post("/language", data = "<sent>")]
fn create(
    sent: Submitted<LanguageForm>,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Redirect, Status> {
    let language = Language::from_tag(&sent.form.language).ok_or(Status::UnprocessableEntity)?;
    cookies::choose_language(jar, ctx, language);
    Ok(Redirect::to(next::back(&sent.form.next)))
}

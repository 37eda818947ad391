//! Proving an address.

use rocket::{Route, State, post, routes};

use super::{Detail, Said};
use crate::api::body::Body;
use crate::api::credentials::Anybody;
use crate::api::describe::{Described, HttpMethod, Kind, Section, needs, open};
use crate::api::error::{Error, Refusal};
use crate::api::fields::Fields;
use crate::ctx::Ctx;
use crate::flows::verification;
use crate::http::guards::SignedIn;
use crate::links::LinkError;
use crate::types::{Caller, Language, Secret};

pub(super) fn routes() -> Vec<Route> {
    routes![create, again]
}

/// The same in words.
pub(super) fn described() -> Vec<Described> {
    let route = |path, about| open(HttpMethod::Post, path, Section::Account, about);
    vec![
        route("/api/account/join/verify-email", "reference.account.letter.verify")
            .takes([needs("key", Kind::Text)])
            .gives::<Detail>(200)
            .refuses(&[404]),
        route("/api/account/join/resend-email", "reference.account.letter.again")
            .takes([needs("email", Kind::Email)])
            .gives::<Detail>(200)
            .refuses(&[429]),
    ]
}

/// The key is the last part of the link in the letter.
#[post("/api/account/join/verify-email", data = "<body>")]
async fn create(
    body: Body,
    who: Anybody,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Said, Error> {
    let mut fields = Fields::of(&body);
    let Some(key) = fields.text("key") else { return Err(fields.complaints().into()) };
    let session = who.0.as_ref().map(SignedIn::session);
    match verification::by_link(ctx, &Secret::new(key), session, caller).await {
        Ok(()) => Ok(Said::ok("api.ok")),
        Err(LinkError::Dead) => Err(Refusal::not_found().into()),
        Err(LinkError::Broken(error)) => Err(error.into()),
    }
}

/// The same answer for every address.
#[post("/api/account/join/resend-email", data = "<body>")]
async fn again(
    body: Body,
    language: Language,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Said, Error> {
    let mut fields = Fields::of(&body);
    let Some(email) = fields.email("email") else { return Err(fields.complaints().into()) };
    verification::ask(ctx, email, language, caller).await?;
    Ok(Said::ok("api.ok"))
}

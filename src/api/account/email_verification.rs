//! Proving an address.

use rocket::{Route, State, post, routes};

use super::{Detail, Said};
use crate::api::body::Body;
use crate::api::credentials::Anybody;
use crate::api::error::{Error, Refusal};
use crate::api::fields::{Complaints, Fields};
use crate::api::openapi::{Described, HttpMethod, Kind, Section, may, needs, open};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::email_verification::{Reader, VerifyError};
use crate::i18n::Sentence;
use crate::links::LinkError;
use crate::types::{Caller, Language, Secret};

pub(crate) fn routes() -> Vec<Route> {
    routes![create, again]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |path, about| open(HttpMethod::Post, path, Section::Account, about);
    vec![
        route("/api/account/join/verify-email", "openapi.account.email_verification.confirm")
            .takes([needs("key", Kind::Text), may("password", Kind::Password)])
            .gives::<Detail>(200)
            .refuses(&[404, 429, 503]),
        route("/api/account/join/resend-email", "openapi.account.email_verification.resend")
            .takes([needs("email", Kind::Email)])
            .gives::<Detail>(200)
            .refuses(&[429]),
    ]
}

/// The key is the last part of the link in the letter. The account's sessions stay alive for a program
/// that is signed in to it, or shows its password.
#[post("/api/account/join/verify-email", data = "<body>")]
async fn create(
    body: Body,
    who: Anybody,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Said, Error> {
    let mut fields = Fields::of(&body);
    let key = fields.text("key");
    let password = fields.optional_password("password");
    let complaints = fields.complaints();
    let Some(key) = key.filter(|_| complaints.is_empty()) else { return Err(complaints.into()) };
    let session = who.0.as_ref().map(|reader| (reader.session(), reader.person().id));
    match flows::account::email_verification::by_link(
        ctx,
        &Secret::new(key),
        Reader { session, password },
        caller,
    )
    .await
    {
        Ok(_) => Ok(Said::ok("api.ok")),
        Err(VerifyError::Link(LinkError::Dead)) => Err(Refusal::not_found().into()),
        Err(VerifyError::Link(LinkError::Broken(error))) => Err(error.into()),
        Err(VerifyError::NotProved(error)) => Err(Error::not_proved(error, || {
            Complaints::about("password", Sentence::new("api.email_verification.wrong_password"))
                .into()
        })),
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
    flows::account::email_verification::ask(ctx, email, language, caller).await?;
    Ok(Said::ok("api.ok"))
}

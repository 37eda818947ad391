//! Logging in.

use rocket::http::CookieJar;
use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};

use super::Welcome;
use crate::api::body::Body;
use crate::api::credentials::session_of;
use crate::api::error::Error;
use crate::api::fields::{Complaints, Fields, NON_FIELD};
use crate::api::openapi::{Described, HttpMethod, Kind, Section, needs, open};
use crate::config::EmailVerification;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::login::{Credentials, LogInError};
use crate::http::cookies::TokenCookies;
use crate::i18n::Sentence;
use crate::types::Caller;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route =
        open(HttpMethod::Post, "/api/account/login", Section::Account, "openapi.account.login");
    let fields = [needs("email", Kind::Email), needs("password", Kind::Password)];
    vec![route.takes(fields).gives::<Welcome>(200).refuses(&[401, 429, 503])]
}

#[post("/api/account/login", data = "<body>")]
async fn create(
    body: Body,
    caller: &Caller,
    ctx: &State<Ctx>,
    cookies: TokenCookies<'_>,
    jar: &CookieJar<'_>,
) -> Result<Json<Welcome>, Error> {
    let credentials = credentials(&body)?;
    let before = session_of(&cookies, ctx).await?;
    match flows::account::login::with_password(ctx, credentials, before, caller).await {
        Ok(flows::account::login::LoggedIn { opened, .. }) => Welcome::of(&opened, jar, ctx).await,
        Err(LogInError::NotProved(error)) => Err(Error::not_proved(error, || wrong(ctx))),
        Err(LogInError::Unverified | LogInError::Inactive(_)) => Err(wrong(ctx)),
    }
}

/// One answer for all. Where addresses must be proved it has to help also those who have a letter to
/// open; and whoever joined with somebody else's address does not learn that it was free.
fn wrong(ctx: &Ctx) -> Error {
    of_all(match ctx.settings.email_verification {
        EmailVerification::Mandatory => "api.login.wrong_or_unverified",
        _ => "api.login.wrong",
    })
}

fn credentials(body: &Body) -> Result<Credentials, Error> {
    let mut fields = Fields::of(body);
    let (email, password) = (fields.email_if_any("email"), fields.password("password"));
    let complaints = fields.complaints();
    if !complaints.is_empty() {
        return Err(complaints.into());
    }
    match (email, password) {
        (Some(email), Some(password)) => Ok(Credentials { email, password }),
        _ => Err(of_all("api.login.must_include")),
    }
}

fn of_all(key: &'static str) -> Error {
    Complaints::about(NON_FIELD, Sentence::new(key)).into()
}

//! Tokens for programs, which keep them themselves: no cookie is read or set here.

use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::credentials::{refused_check, refused_refresh};
use super::error::{Error, Refusal};
use super::fields::Fields;
use crate::api::openapi::{Described, HttpMethod, Kind, Section, needs, open};
use crate::config::EmailVerification;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::login::{Credentials, LogInError};
use crate::sessions;
use crate::sessions::Opened;
use crate::types::{Caller, Email};

pub(crate) fn routes() -> Vec<Route> {
    routes![create, update, show, show_at_account, destroy]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |path, about| open(HttpMethod::Post, path, Section::Tokens, about);
    vec![
        route("/api/token", "openapi.token.create")
            .takes([needs("email", Kind::Email), needs("password", Kind::Password)])
            .gives::<Pair>(200)
            .refuses(&[401, 429, 503]),
        route("/api/token/refresh", "openapi.token.refresh")
            .takes([needs("refresh", Kind::Text)])
            .gives::<NextPair>(200)
            .refuses(&[401]),
        route("/api/token/verify", "openapi.token.verify")
            .takes([needs("token", Kind::Text)])
            .gives::<Nothing>(200)
            .refuses(&[401]),
        open(
            HttpMethod::Post,
            "/api/account/token/verify",
            Section::Account,
            "openapi.account.verify_token",
        )
        .takes([needs("token", Kind::Text)])
        .gives::<Nothing>(200)
        .refuses(&[401]),
        route("/api/token/blacklist", "openapi.token.blacklist")
            .takes([needs("refresh", Kind::Text)])
            .gives::<Nothing>(200)
            .refuses(&[401]),
    ]
}

/// Nothing but that all is well.
#[derive(Serialize, ToSchema)]
struct Nothing {}

/// Both tokens of a new session.
#[derive(Serialize, ToSchema)]
struct Pair {
    refresh: String,
    access: String,
}

/// Both tokens, when they were asked for again.
#[derive(Serialize, ToSchema)]
struct NextPair {
    access: String,
    refresh: String,
}

impl From<Opened> for Pair {
    fn from(Opened { access, refresh, .. }: Opened) -> Self {
        Self { refresh: refresh.token.expose().into(), access: access.token.expose().into() }
    }
}

impl From<Opened> for NextPair {
    fn from(Opened { access, refresh, .. }: Opened) -> Self {
        Self { access: access.token.expose().into(), refresh: refresh.token.expose().into() }
    }
}

/// An address that is none cannot have an account, so it is answered like an unknown one.
#[post("/api/token", data = "<body>")]
async fn create(body: Body, caller: &Caller, ctx: &State<Ctx>) -> Result<Json<Pair>, Error> {
    let mut fields = Fields::of(&body);
    let (email, password) = (fields.text("email"), fields.password("password"));
    let (Some(email), Some(password)) = (email, password) else {
        return Err(fields.complaints().into());
    };
    let Ok(email) = Email::parse(&email) else { return Err(no_active_account(ctx)) };
    let credentials = Credentials { email, password };
    let caller = caller.without_cookies();
    match flows::account::login::with_password(ctx, credentials, None, &caller).await {
        Ok(flows::account::login::LoggedIn { opened, .. }) => Ok(Json(opened.into())),
        Err(LogInError::NotProved(error)) => {
            Err(Error::not_proved(error, || no_active_account(ctx)))
        }
        Err(LogInError::Unverified | LogInError::Inactive(_)) => Err(no_active_account(ctx)),
    }
}

/// One answer for all, as at the other log-in.
fn no_active_account(ctx: &Ctx) -> Error {
    let key = match ctx.settings.email_verification {
        EmailVerification::Mandatory => "api.no_active_or_unverified_account",
        _ => "api.no_active_account",
    };
    Refusal::unauthorized("no_active_account", key).already_logged().into()
}

#[post("/api/token/refresh", data = "<body>")]
async fn update(body: Body, caller: &Caller, ctx: &State<Ctx>) -> Result<Json<NextPair>, Error> {
    let token = token(&body, "refresh")?;
    let opened = sessions::renew(ctx, &token, caller).await.map_err(refused_refresh)?;
    Ok(Json(opened.into()))
}

#[post("/api/token/verify", data = "<body>")]
async fn show(body: Body, ctx: &State<Ctx>) -> Result<Json<Nothing>, Error> {
    check(&body, ctx).await
}

#[post("/api/account/token/verify", data = "<body>")]
async fn show_at_account(body: Body, ctx: &State<Ctx>) -> Result<Json<Nothing>, Error> {
    check(&body, ctx).await
}

async fn check(body: &Body, ctx: &Ctx) -> Result<Json<Nothing>, Error> {
    let token = token(body, "token")?;
    sessions::check(ctx, &token).await.map_err(refused_check)?;
    Ok(Json(Nothing {}))
}

#[post("/api/token/blacklist", data = "<body>")]
async fn destroy(body: Body, caller: &Caller, ctx: &State<Ctx>) -> Result<Json<Nothing>, Error> {
    let token = token(&body, "refresh")?;
    flows::account::logout::by_token(ctx, &token, caller).await.map_err(refused_refresh)?;
    Ok(Json(Nothing {}))
}

fn token(body: &Body, field: &'static str) -> Result<String, Error> {
    let mut fields = Fields::of(body);
    fields.text(field).ok_or_else(|| fields.complaints().into())
}

//! Tokens for API clients, which keep them themselves.
//!
//! Reads and sets no cookie.

use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::Body;
use super::credentials::{check_error, refresh_error};
use super::error::Error;
use super::error_detail::ErrorDetail;
use super::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, public, required};
use crate::config::EmailVerification;
use crate::context::Context;
use crate::flows;
use crate::flows::account::login::{Credentials, LoginError};
use crate::paths;
use crate::sessions;
use crate::sessions::IssuedTokens;
use crate::types::{Email, RequestInfo};

pub(crate) fn routes() -> Vec<Route> {
    routes![create, update, show, show_at_account, destroy]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |path, about| public(HttpMethod::Post, path, Section::Tokens, about);
    vec![
        route(paths::API_TOKEN, "openapi.token.create")
            .body([required("email", FieldType::Email), required("password", FieldType::Password)])
            .returns::<TokenPair>(200)
            .errors(&[401, 429, 503]),
        route(paths::API_TOKEN_REFRESH, "openapi.token.refresh")
            .body([required("refresh", FieldType::Text)])
            .returns::<RefreshedPair>(200)
            .errors(&[401]),
        route(paths::API_TOKEN_VERIFY, "openapi.token.verify")
            .body([required("token", FieldType::Text)])
            .returns::<EmptyObject>(200)
            .errors(&[401]),
        public(
            HttpMethod::Post,
            paths::API_ACCOUNT_TOKEN_VERIFY,
            Section::Account,
            "openapi.account.verify_token",
        )
        .body([required("token", FieldType::Text)])
        .returns::<EmptyObject>(200)
        .errors(&[401]),
        route(paths::API_TOKEN_BLACKLIST, "openapi.token.blacklist")
            .body([required("refresh", FieldType::Text)])
            .returns::<EmptyObject>(200)
            .errors(&[401]),
    ]
}

/// An empty object: success.
#[derive(Serialize, ToSchema)]
#[schema(as = Nothing)]
pub(super) struct EmptyObject {}

/// Both tokens of a new session.
#[derive(Serialize, ToSchema)]
#[schema(as = Pair)]
struct TokenPair {
    refresh: String,
    access: String,
}

/// Both tokens after a refresh.
#[derive(Serialize, ToSchema)]
#[schema(as = NextPair)]
struct RefreshedPair {
    access: String,
    refresh: String,
}

impl From<IssuedTokens> for TokenPair {
    fn from(IssuedTokens { access, refresh, .. }: IssuedTokens) -> Self {
        Self { refresh: refresh.token.expose().into(), access: access.token.expose().into() }
    }
}

impl From<IssuedTokens> for RefreshedPair {
    fn from(IssuedTokens { access, refresh, .. }: IssuedTokens) -> Self {
        Self { access: access.token.expose().into(), refresh: refresh.token.expose().into() }
    }
}

/// Logs in.
#[post("/api/token", data = "<body>")]
async fn create(
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<TokenPair>, Error> {
    let mut fields = FieldReader::of(&body);
    let address = fields.address_field();
    let (email, password) = (fields.text(address), fields.password("password"));
    let (Some(email), Some(password)) = (email, password) else {
        return Err(fields.into_errors().into());
    };
    // SimpleJWT answers a malformed address like an unknown one.
    let Ok(email) = Email::parse(&email) else { return Err(no_active_account(ctx)) };
    let credentials = Credentials { email, password };
    // Sessions of API clients and of browsers have limits of their own.
    let info = info.with_token_transport();
    // No cookie is read here, so there is no earlier session to end.
    match flows::account::login::with_password(ctx, credentials, None, &info).await {
        Ok(flows::account::login::Login { tokens, .. }) => Ok(Json(tokens.into())),
        Err(LoginError::NotProved(error)) => {
            Err(Error::from_auth(error, || no_active_account(ctx)))
        }
        Err(LoginError::Unverified | LoginError::Inactive(_)) => Err(no_active_account(ctx)),
    }
}

/// Returns the one error for all failures.
fn no_active_account(ctx: &Context) -> Error {
    // Users whose e-mail is still unread must find help in it too.
    let key = match ctx.settings.email_verification {
        EmailVerification::Mandatory => "api.no_active_or_unverified_account",
        _ => "api.no_active_account",
    };
    ErrorDetail::unauthorized("no_active_account", key).already_logged().into()
}

#[post("/api/token/refresh", data = "<body>")]
async fn update(
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<RefreshedPair>, Error> {
    let token = required_text(&body, "refresh")?;
    let tokens = sessions::refresh(ctx, &token, info).await.map_err(refresh_error)?;
    Ok(Json(tokens.into()))
}

#[post("/api/token/verify", data = "<body>")]
async fn show(body: Body, ctx: &State<Context>) -> Result<Json<EmptyObject>, Error> {
    check(&body, ctx).await
}

#[post("/api/account/token/verify", data = "<body>")]
async fn show_at_account(body: Body, ctx: &State<Context>) -> Result<Json<EmptyObject>, Error> {
    check(&body, ctx).await
}

async fn check(body: &Body, ctx: &Context) -> Result<Json<EmptyObject>, Error> {
    let token = required_text(body, "token")?;
    sessions::check_token(ctx, &token).await.map_err(check_error)?;
    Ok(Json(EmptyObject {}))
}

#[post("/api/token/blacklist", data = "<body>")]
async fn destroy(
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<EmptyObject>, Error> {
    let token = required_text(&body, "refresh")?;
    flows::account::logout::with_refresh_token(ctx, &token, info).await.map_err(refresh_error)?;
    Ok(Json(EmptyObject {}))
}

fn required_text(body: &Body, field: &'static str) -> Result<String, Error> {
    let mut fields = FieldReader::of(body);
    fields.text(field).ok_or_else(|| fields.into_errors().into())
}

//! Refreshes the tokens of a browser.

use rocket::http::CookieJar;
use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::refresh_in_body;
use crate::api::body::Body;
use crate::api::credentials::refresh_error;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::fields::FieldReader;
use crate::api::openapi::{
    Credentials, Endpoint, FieldType, HttpMethod, Section, optional, public,
};
use crate::context::Context;
use crate::http::cookies;
use crate::http::cookies::TokenCookies;
use crate::paths;
use crate::sessions;
use crate::sessions::IssuedToken;
use crate::types::RequestInfo;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = public(
        HttpMethod::Post,
        paths::API_ACCOUNT_TOKEN_REFRESH,
        Section::Account,
        "openapi.account.refresh",
    );
    vec![
        route
            .credentials(Credentials::RefreshCookie)
            .body([optional("refresh", FieldType::Text)])
            .returns::<RefreshedAccess>(200)
            .errors(&[401]),
    ]
}

/// The access token and its expiry; the refresh token is in its cookie, and here if a setting says so.
#[derive(Serialize, ToSchema)]
#[schema(as = Renewed)]
struct RefreshedAccess {
    access: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    refresh: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    access_expiration: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, required = false)]
    refresh_expiration: Option<OffsetDateTime>,
}

/// Refreshes the tokens. A token in the body wins over the cookie.
#[post("/api/account/token/refresh", data = "<body>")]
async fn create(
    body: Body,
    sent: TokenCookies<'_>,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Json<RefreshedAccess>, Error> {
    let mut fields = FieldReader::of(&body);
    let in_body = fields.optional_text("refresh");
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let Some(token) = in_body.as_deref().or(sent.refresh) else {
        return Err(ErrorDetail::unauthorized("token_not_valid", "api.token.missing").into());
    };
    // A refused token removes no cookie: another tab may just have received a newer one.
    let tokens = sessions::refresh(ctx, token, info).await.map_err(refresh_error)?;
    cookies::set_tokens(jar, ctx, &tokens);
    let refresh = refresh_in_body(&tokens, ctx);
    Ok(Json(RefreshedAccess {
        access: tokens.access.token.expose().to_owned(),
        access_expiration: expiry(&tokens.access),
        refresh_expiration: refresh.as_ref().map(|_| expiry(&tokens.refresh)),
        refresh,
    }))
}

fn expiry(token: &IssuedToken) -> OffsetDateTime {
    // A token's `exp` has whole seconds.
    token.expires_at.replace_nanosecond(0).unwrap_or(token.expires_at)
}

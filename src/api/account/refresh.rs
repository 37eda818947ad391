//! The next tokens of a browser.

use rocket::http::CookieJar;
use rocket::serde::json::Json;
use rocket::{Route, State, post, routes};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::api::body::Body;
use crate::api::credentials::refused_refresh;
use crate::api::error::{Error, Refusal};
use crate::api::fields::Fields;
use crate::api::openapi::{Described, HttpMethod, Kind, Section, may, open};
use crate::context::Ctx;
use crate::http::cookies;
use crate::http::cookies::TokenCookies;
use crate::sessions;
use crate::types::Caller;

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = open(
        HttpMethod::Post,
        "/api/account/token/refresh",
        Section::Account,
        "openapi.account.refresh",
    );
    vec![route.takes([may("refresh", Kind::Text)]).gives::<Renewed>(200).refuses(&[401])]
}

/// The access token and until when it is good; the refresh token is in its cookie.
#[derive(Serialize, ToSchema)]
struct Renewed {
    access: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    access_expiration: OffsetDateTime,
}

/// A token in the body beats the cookie. A token that is refused takes no cookie away: another tab may
/// just have got a better one.
#[post("/api/account/token/refresh", data = "<body>")]
async fn create(
    body: Body,
    sent: TokenCookies<'_>,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Json<Renewed>, Error> {
    let mut fields = Fields::of(&body);
    let in_body = fields.optional_text("refresh");
    let complaints = fields.complaints();
    if !complaints.is_empty() {
        return Err(complaints.into());
    }
    let Some(token) = in_body.as_deref().or(sent.refresh) else {
        return Err(Refusal::unauthorized("token_not_valid", "api.token.missing").into());
    };
    let opened = sessions::renew(ctx, token, caller).await.map_err(refused_refresh)?;
    cookies::give_next(jar, ctx, &opened);
    let expires_at = opened.access.expires_at;
    Ok(Json(Renewed {
        access: opened.access.token.expose().to_owned(),
        access_expiration: expires_at.replace_nanosecond(0).unwrap_or(expires_at),
    }))
}

//! The user's connected login providers: lists them, connects others and disconnects them, as
//! `dj-rest-auth` does.

use rocket::serde::json::Json;
use rocket::{Route, State, get, post, routes};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::social_login::{non_field_error, read_token, social_error, token_fields};
use crate::api::body::Body;
use crate::api::credentials::Authenticated;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, HttpMethod, Section, authenticated};
use crate::api::tokens::EmptyObject;
use crate::context::Context;
use crate::flows;
use crate::flows::account::social_accounts::{ConnectError, DisconnectError};
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::social;
use crate::social::{Identity, find_active};
use crate::types::RequestInfo;

pub(crate) fn routes() -> Vec<Route> {
    routes![index, create, destroy]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |method, path, about| authenticated(method, path, Section::Account, about);
    vec![
        route(
            HttpMethod::Get,
            paths::API_SOCIAL_ACCOUNTS.to_owned(),
            "openapi.account.social_accounts.list",
        )
        .returns::<Vec<SocialAccount>>(200),
        route(
            HttpMethod::Post,
            paths::api_social_connect("{slug}"),
            "openapi.account.social_accounts.connect",
        )
        .body(token_fields())
        .returns::<EmptyObject>(200)
        .errors(&[404, 429, 503]),
        route(
            HttpMethod::Post,
            paths::api_social_disconnect("{id}"),
            "openapi.account.social_accounts.disconnect",
        )
        .returns::<EmptyObject>(200)
        .errors(&[400, 403, 404, 413, 415]),
    ]
}

/// A connected provider, in the fields of allauth.
#[derive(Serialize, ToSchema)]
struct SocialAccount {
    id: i64,
    provider: String,
    /// The user's identifier at the provider.
    uid: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    last_login: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    date_joined: OffsetDateTime,
}

impl From<Identity> for SocialAccount {
    fn from(identity: Identity) -> Self {
        Self {
            id: identity.id,
            provider: identity.provider,
            uid: identity.subject,
            last_login: identity.used_at,
            date_joined: identity.connected_at,
        }
    }
}

#[get("/api/account/social")]
async fn index(
    user: Authenticated,
    ctx: &State<Context>,
) -> Result<Json<Vec<SocialAccount>>, Error> {
    let identities = social::list_identities(&ctx.db, user.0.user().id).await?;
    Ok(Json(identities.into_iter().map(SocialAccount::from).collect()))
}

/// Connects a provider. Connecting it again changes nothing.
#[post("/api/account/social/<slug>/connect", data = "<body>")]
async fn create(
    slug: &str,
    user: Authenticated,
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<EmptyObject>, Error> {
    let provider = find_active(ctx, slug).await?.ok_or_else(ErrorDetail::not_found)?;
    let token = read_token(FieldReader::of(&body))?;
    require_reauthentication(ctx, &user.0).await?;
    let provider_user =
        flows::account::social_login::user_of_token(ctx, &provider, token, info).await;
    let provider_user = provider_user.map_err(|error| social_error(error, ctx))?;
    let (owner, slug) = (user.0.user().id, provider.slug());
    match flows::account::social_accounts::connect(ctx, owner, slug, &provider_user, info).await {
        Ok(()) | Err(ConnectError::AlreadyConnected) => Ok(Json(EmptyObject {})),
        Err(ConnectError::Refused) => Err(non_field_error("api.social.not_connected")),
        Err(ConnectError::Database(error)) => Err(error.into()),
    }
}

/// Disconnects a provider. The body is read only to refuse what other endpoints refuse.
#[post("/api/account/social/<id>/disconnect", data = "<_body>")]
async fn destroy(
    id: &str,
    user: Authenticated,
    _body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<EmptyObject>, Error> {
    let id = id.parse().map_err(|_| ErrorDetail::not_found())?;
    require_reauthentication(ctx, &user.0).await?;
    match flows::account::social_accounts::disconnect(ctx, user.0.user().id, id, info).await {
        Ok(()) => Ok(Json(EmptyObject {})),
        Err(DisconnectError::NotConnected) => Err(ErrorDetail::not_found().into()),
        Err(DisconnectError::LastMethod) => Err(non_field_error("api.social.last_method")),
        Err(DisconnectError::Database(error)) => Err(error.into()),
    }
}

/// Refuses a change of the ways to log in, unless the user authenticated a moment ago.
async fn require_reauthentication(ctx: &Context, user: &SignedIn) -> Result<(), Error> {
    if guards::has_reauthenticated(ctx, user).await? {
        return Ok(());
    }
    Err(ErrorDetail::reauthentication_required().into())
}

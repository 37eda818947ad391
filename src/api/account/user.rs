//! One's own account: shows and updates it.

use rocket::serde::json::Json;
use rocket::{Route, State, get, patch, put, routes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::body::Body;
use crate::api::credentials::Authenticated;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, HttpMethod, Section, authenticated};
use crate::api::profile_fields;
use crate::api::profile_fields::{ProfilePatch, response_with_profile};
use crate::context::Context;
use crate::flows;
use crate::paths;
use crate::types::{Profile, RequestInfo, User};

pub(crate) fn routes() -> Vec<Route> {
    routes![show, update, replace]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |method, about| authenticated(method, paths::API_USER, Section::Account, about);
    vec![
        route(HttpMethod::Get, "openapi.account.user.show").returns::<AccountUser>(200),
        route(HttpMethod::Patch, "openapi.account.user.update")
            .body(profile_fields::field_specs())
            .returns::<AccountUser>(200),
        route(HttpMethod::Put, "openapi.account.user.replace")
            .body(profile_fields::field_specs())
            .returns::<AccountUser>(200),
    ]
}

response_with_profile! {
    /// What users see of their own account.
    #[derive(Serialize, ToSchema)]
    #[schema(as = Profile)]
    pub(crate) struct AccountUser {
        pk: i64,
        email: String,
        ..profile,
        email_verified: bool,
    }
}

impl AccountUser {
    pub(crate) fn of(user: &User) -> Self {
        let before = (user.id.0, user.email.as_typed().to_owned());
        Self::new(&user.profile, before, (user.email_verified_at.is_some(),))
    }
}

#[get("/api/account/user")]
fn show(user: Authenticated) -> Json<AccountUser> {
    Json(AccountUser::of(user.0.user()))
}

#[patch("/api/account/user", data = "<body>")]
async fn update(
    user: Authenticated,
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<AccountUser>, Error> {
    change(user, &body, info, ctx).await
}

/// Updates the fields that were sent.
#[put("/api/account/user", data = "<body>")]
async fn replace(
    user: Authenticated,
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<AccountUser>, Error> {
    // As PATCH: no field is required here either.
    change(user, &body, info, ctx).await
}

async fn change(
    Authenticated(user): Authenticated,
    body: &Body,
    info: &RequestInfo,
    ctx: &Context,
) -> Result<Json<AccountUser>, Error> {
    let today = ctx.clock.now().date();
    let mut fields = FieldReader::of(body);
    let patch = ProfilePatch::read(&mut fields, today);
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let change = |profile: &mut Profile, _: &mut _| patch.apply(profile);
    let user = flows::account::profile::update(ctx, user.user().id, change, info).await?;
    let user = user.ok_or_else(ErrorDetail::not_found)?;
    Ok(Json(AccountUser::of(&user)))
}

//! One's own account: shows and updates it.

use rocket::serde::json::Json;
use rocket::{Route, State, get, patch, put, routes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::body::Body;
use crate::api::credentials::Authenticated;
use crate::api::error::{Error, ErrorDetail};
use crate::api::fields::FieldReader;
use crate::api::openapi::{Endpoint, FieldType, HttpMethod, Section, authenticated, optional};
use crate::context::Context;
use crate::flows;
use crate::paths;
use crate::types::{Gender, RequestInfo, User};

pub(crate) fn routes() -> Vec<Route> {
    routes![show, update, replace]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |method, about| authenticated(method, paths::API_USER, Section::Account, about);
    let fields = || {
        [
            optional("name", FieldType::Text),
            optional("gender", FieldType::Gender),
            optional("date_of_birth", FieldType::Day),
        ]
    };
    vec![
        route(HttpMethod::Get, "openapi.account.user.show").returns::<AccountUser>(200),
        route(HttpMethod::Patch, "openapi.account.user.update")
            .body(fields())
            .returns::<AccountUser>(200),
        route(HttpMethod::Put, "openapi.account.user.replace")
            .body(fields())
            .returns::<AccountUser>(200),
    ]
}

/// One's own account, as its user sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = UserDetails)]
pub(crate) struct AccountUser {
    pk: i64,
    email: String,
    name: String,
    #[schema(pattern = "^(|male|female)$")]
    gender: &'static str,
    #[schema(required, format = Date)]
    date_of_birth: Option<String>,
    email_verified: bool,
}

impl AccountUser {
    pub(crate) fn of(user: &User) -> Self {
        Self {
            pk: user.id.0,
            email: user.email.as_typed().to_owned(),
            name: user.name.as_str().to_owned(),
            gender: user.gender.map_or("", Gender::as_str),
            date_of_birth: user.date_of_birth.map(|date| date.to_string()),
            email_verified: user.email_verified_at.is_some(),
        }
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

/// Updates the fields that were sent; no field is required here either.
#[put("/api/account/user", data = "<body>")]
async fn replace(
    user: Authenticated,
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<AccountUser>, Error> {
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
    let name = fields.name("name");
    let gender = fields.gender("gender");
    let date_of_birth = fields.date_of_birth("date_of_birth", today);
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let change = |profile: &mut crate::accounts::Profile| {
        profile.name = name.or(std::mem::take(&mut profile.name));
        profile.gender = gender.or(profile.gender);
        profile.date_of_birth = date_of_birth.or(profile.date_of_birth);
    };
    let user = flows::account::profile::update(ctx, user.user().id, change, info).await?;
    let user = user.ok_or_else(ErrorDetail::not_found)?;
    Ok(Json(AccountUser::of(&user)))
}

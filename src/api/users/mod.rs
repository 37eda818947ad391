//! Users as a resource. Staff see and change every user, as far as their permissions reach; other
//! users see only themselves, and cannot learn whether another user exists.
//!
//! What staff may do to a user is decided in the use cases of the admin pages, not here.

mod create;
mod list;
mod update;

use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, routes};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::credentials::Authenticated;
use super::error::Error;
use super::error_detail::ErrorDetail;
use super::field_errors::{FieldErrors, NON_FIELD_ERRORS};
use crate::accounts::search;
use crate::accounts::search::UserSummary;
use crate::admin::{Actor, AdminAction, AdminError};
use crate::api::openapi::{Endpoint, HttpMethod, Section, authenticated};
use crate::api::profile_fields::response_with_profile;
use crate::context::Context;
use crate::flows;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::i18n::Sentence;
use crate::paths;
use crate::types::{Permission, RequestInfo, UserId, number};

pub(crate) fn routes() -> Vec<Route> {
    [list::routes(), create::routes(), update::routes(), routes![show, destroy]].concat()
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route =
        |method, about| authenticated(method, paths::api_user("{id}"), Section::Users, about);
    let mut all = list::endpoints();
    all.extend(create::endpoints());
    all.push(route(HttpMethod::Get, "openapi.users.show").returns::<UserRow>(200).errors(&[404]));
    all.extend(update::endpoints());
    all.push(
        route(HttpMethod::Delete, "openapi.users.destroy")
            .returns_empty(204)
            .errors(&[400, 403, 404]),
    );
    all
}

response_with_profile! {
    /// A user.
    #[derive(Serialize, ToSchema)]
    #[schema(as = User)]
    struct UserRow {
        url: String,
        id: i64,
        email: String,
        ..profile,
        is_active: bool,
        is_staff: bool,
        is_superuser: bool,
        email_verified: bool,
        #[serde(with = "time::serde::rfc3339::option")]
        #[schema(required, value_type = Option<String>, format = DateTime)]
        last_login_at: Option<OffsetDateTime>,
        #[serde(with = "time::serde::rfc3339")]
        #[schema(value_type = String, format = DateTime)]
        created_at: OffsetDateTime,
        #[serde(with = "time::serde::rfc3339")]
        #[schema(value_type = String, format = DateTime)]
        updated_at: OffsetDateTime,
    }
}

impl UserRow {
    fn of(row: UserSummary, ctx: &Context) -> Self {
        let before = (format!("{}/{}/", users_url(ctx), row.id), row.id.0, row.email);
        let after = (
            row.is_active,
            row.is_staff,
            row.is_superuser,
            row.is_verified,
            row.last_login_at,
            row.created_at,
            row.updated_at,
        );
        Self::new(&row.profile, before, after)
    }

    /// Reads the user from the database.
    async fn find(ctx: &Context, id: UserId) -> Result<Json<Self>, Error> {
        let row = search::find(&ctx.db, id).await?.ok_or_else(ErrorDetail::not_found)?;
        Ok(Json(Self::of(row, ctx)))
    }
}

/// Returns the absolute URL of the list.
fn users_url(ctx: &Context) -> String {
    let site = ctx.settings.public_url.as_str().trim_end_matches('/');
    format!("{site}{}", paths::API_USERS)
}

#[get("/api/users/<id>")]
async fn show(id: &str, user: Authenticated, ctx: &State<Context>) -> Result<Json<UserRow>, Error> {
    let user_id = visible_user(id, &user.0, &[Permission::UsersView])?;
    UserRow::find(ctx, user_id).await
}

/// Deletes a user as the admin page does: the account is deactivated at once and deleted after a
/// day; until then staff can restore it.
#[delete("/api/users/<id>")]
async fn destroy(
    id: &str,
    user: Authenticated,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Status, Error> {
    let Authenticated(user) = user;
    let user_id = visible_user(id, &user, &[Permission::UsersView, Permission::UsersDelete])?;
    if !user.user().may(Permission::UsersDelete) {
        return Err(ErrorDetail::forbidden().into());
    }
    // The use case refuses one's own account anyway; asking for the password first would mislead.
    if user_id != user.user().id && !guards::has_reauthenticated(ctx, &user).await? {
        return Err(ErrorDetail::reauthentication_required().into());
    }
    let actor = Actor { user: user.user(), info };
    flows::admin::user_actions::perform(ctx, actor, user_id, &AdminAction::Delete.into())
        .await
        .map_err(admin_error)?;
    Ok(Status::NoContent)
}

/// Returns the id in a path, if it is the user's own or the user has any of these permissions.
fn visible_user(id: &str, by: &SignedIn, needed: &[Permission]) -> Result<UserId, ErrorDetail> {
    let id = number(id).map(UserId).ok_or_else(ErrorDetail::not_found)?;
    let user = by.user();
    let is_seen = user.id == id || needed.iter().any(|permission| user.may(*permission));
    // 404 and not 403: others cannot learn whether it exists.
    if is_seen { Ok(id) } else { Err(ErrorDetail::not_found()) }
}

/// Returns the error for an action that was not carried out.
fn admin_error(error: AdminError) -> Error {
    let key = match error {
        AdminError::NotFound => return ErrorDetail::not_found().into(),
        AdminError::Forbidden => return ErrorDetail::forbidden().into(),
        AdminError::OwnAccount => "admin.user_action.yourself",
        AdminError::LastSuperuser => "admin.user_action.last_superuser",
        AdminError::Database(error) => return error.into(),
    };
    FieldErrors::on(NON_FIELD_ERRORS, Sentence::new(key)).into()
}

fn email_taken() -> Error {
    FieldErrors::on("email", Sentence::new("api.users.taken")).into()
}

fn no_such_group() -> Error {
    FieldErrors::on("groups", Sentence::new("api.users.no_such_group")).into()
}

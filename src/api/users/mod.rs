//! People as a resource: staff see and change everybody, as far as they may; everybody else has
//! themselves alone, and of others not even whether there are any.
//!
//! Nothing here decides what staff may do to a user: the flows of the admin pages do.

mod create;
mod list;
mod update;

use rocket::http::Status;
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, routes};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::credentials::Member;
use super::error::{Error, Refusal};
use super::fields::{Complaints, NON_FIELD};
use crate::accounts::search;
use crate::accounts::search::Row;
use crate::admin::{Actor, AdminAction, AdminError};
use crate::api::openapi::{Described, HttpMethod, Section, closed};
use crate::context::Ctx;
use crate::flows;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::i18n::Sentence;
use crate::types::{Caller, Gender, Permission, UserId, number};

pub(crate) fn routes() -> Vec<Route> {
    [list::routes(), create::routes(), update::routes(), routes![show, destroy]].concat()
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |method, about| closed(method, "/api/users/{id}", Section::Users, about);
    let mut all = list::described();
    all.extend(create::described());
    all.push(route(HttpMethod::Get, "openapi.users.show").gives::<User>(200).refuses(&[404]));
    all.extend(update::described());
    all.push(
        route(HttpMethod::Delete, "openapi.users.destroy")
            .gives_nothing(204)
            .refuses(&[400, 403, 404]),
    );
    all
}

/// Where people are.
const USERS: &str = "/api/users";

/// A person.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not hang together")]
struct User {
    url: String,
    id: i64,
    email: String,
    name: String,
    #[schema(pattern = "^(|male|female)$")]
    gender: &'static str,
    #[schema(required, format = Date)]
    date_of_birth: Option<String>,
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

impl User {
    fn of(row: Row, ctx: &Ctx) -> Self {
        Self {
            url: format!("{}/{}/", address(ctx), row.id),
            id: row.id.0,
            email: row.email,
            name: row.name,
            gender: row.gender.map_or("", Gender::as_str),
            date_of_birth: row.date_of_birth.map(|date| date.to_string()),
            is_active: row.is_active,
            is_staff: row.is_staff,
            is_superuser: row.is_superuser,
            email_verified: row.is_verified,
            last_login_at: row.last_login_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// The account as it stands.
    async fn find(ctx: &Ctx, id: UserId) -> Result<Json<Self>, Error> {
        let row = search::find(&ctx.db, id).await?.ok_or_else(Refusal::not_found)?;
        Ok(Json(Self::of(row, ctx)))
    }
}

/// Where people are, for others.
fn address(ctx: &Ctx) -> String {
    let site = ctx.settings.public_url.as_str().trim_end_matches('/');
    format!("{site}{USERS}")
}

#[get("/api/users/<id>")]
async fn show(id: &str, member: Member, ctx: &State<Ctx>) -> Result<Json<User>, Error> {
    let user_id = seen(id, &member.0, &[Permission::UsersView])?;
    User::find(ctx, user_id).await
}

/// What the page of staff does: the account is closed at once and deleted after a day, within which
/// staff can bring it back.
#[delete("/api/users/<id>")]
async fn destroy(
    id: &str,
    member: Member,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Status, Error> {
    let Member(member) = member;
    let user_id = seen(id, &member, &[Permission::UsersView, Permission::UsersDelete])?;
    if !member.person().may(Permission::UsersDelete) {
        return Err(Refusal::forbidden().into());
    }
    if user_id != member.person().id && !guards::has_just_proved(ctx, &member).await? {
        return Err(Refusal::prove_first().into());
    }
    let actor = Actor { user: member.person(), caller };
    flows::admin::user_actions::perform(ctx, actor, user_id, &AdminAction::Delete)
        .await
        .map_err(not_done)?;
    Ok(Status::NoContent)
}

/// The account of a path, if it is one's own or one has any of these permissions. Nobody else learns
/// whether it exists.
fn seen(id: &str, by: &SignedIn, needed: &[Permission]) -> Result<UserId, Refusal> {
    let id = number(id).map(UserId).ok_or_else(Refusal::not_found)?;
    let person = by.person();
    let is_seen = person.id == id || needed.iter().any(|permission| person.may(*permission));
    if is_seen { Ok(id) } else { Err(Refusal::not_found()) }
}

/// What is said of something that was not done to an account.
fn not_done(error: AdminError) -> Error {
    let key = match error {
        AdminError::NotFound => return Refusal::not_found().into(),
        AdminError::Forbidden => return Refusal::forbidden().into(),
        AdminError::OwnAccount => "admin.user_action.yourself",
        AdminError::LastSuperuser => "admin.user_action.last_superuser",
        AdminError::Broken(error) => return error.into(),
    };
    Complaints::about(NON_FIELD, Sentence::new(key)).into()
}

fn taken() -> Error {
    Complaints::about("email", Sentence::new("api.users.taken")).into()
}

fn no_such_group() -> Error {
    Complaints::about("groups", Sentence::new("api.users.no_such_group")).into()
}

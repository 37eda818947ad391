//! One's own account: what it says, and changing it.

use rocket::serde::json::Json;
use rocket::{Route, State, get, patch, put, routes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::body::Body;
use crate::api::credentials::Member;
use crate::api::error::{Error, Refusal};
use crate::api::fields::Fields;
use crate::api::openapi::{Described, HttpMethod, Kind, Section, closed, may};
use crate::context::Ctx;
use crate::flows;
use crate::types::{Caller, Gender, Person};

pub(crate) fn routes() -> Vec<Route> {
    routes![show, update, replace]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |method, about| closed(method, "/api/account/user", Section::Account, about);
    let fields =
        || [may("name", Kind::Text), may("gender", Kind::Gender), may("date_of_birth", Kind::Day)];
    vec![
        route(HttpMethod::Get, "openapi.account.user.show").gives::<Profile>(200),
        route(HttpMethod::Patch, "openapi.account.user.update")
            .takes(fields())
            .gives::<Profile>(200),
        route(HttpMethod::Put, "openapi.account.user.replace")
            .takes(fields())
            .gives::<Profile>(200),
    ]
}

/// What people may see of their own account.
#[derive(Serialize, ToSchema)]
pub(crate) struct Profile {
    pk: i64,
    email: String,
    name: String,
    #[schema(pattern = "^(|male|female)$")]
    gender: &'static str,
    #[schema(required, format = Date)]
    date_of_birth: Option<String>,
    email_verified: bool,
}

impl Profile {
    pub(crate) fn of(person: &Person) -> Self {
        Self {
            pk: person.id.0,
            email: person.email.as_typed().to_owned(),
            name: person.name.as_str().to_owned(),
            gender: person.gender.map_or("", Gender::as_str),
            date_of_birth: person.date_of_birth.map(|date| date.to_string()),
            email_verified: person.email_verified_at.is_some(),
        }
    }
}

#[get("/api/account/user")]
fn show(member: Member) -> Json<Profile> {
    Json(Profile::of(member.0.person()))
}

#[patch("/api/account/user", data = "<body>")]
async fn update(
    member: Member,
    body: Body,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Json<Profile>, Error> {
    change(member, &body, caller, ctx).await
}

/// No field of a profile must be there, so what is left out stays as it is here too.
#[put("/api/account/user", data = "<body>")]
async fn replace(
    member: Member,
    body: Body,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Json<Profile>, Error> {
    change(member, &body, caller, ctx).await
}

async fn change(
    Member(member): Member,
    body: &Body,
    caller: &Caller,
    ctx: &Ctx,
) -> Result<Json<Profile>, Error> {
    let today = ctx.clock.now().date();
    let mut fields = Fields::of(body);
    let name = fields.name("name");
    let gender = fields.gender("gender");
    let date_of_birth = fields.date_of_birth("date_of_birth", today);
    let complaints = fields.complaints();
    if !complaints.is_empty() {
        return Err(complaints.into());
    }
    let change = |profile: &mut crate::accounts::Profile| {
        profile.name = name.or(std::mem::take(&mut profile.name));
        profile.gender = gender.or(profile.gender);
        profile.date_of_birth = date_of_birth.or(profile.date_of_birth);
    };
    let person = flows::account::profile::update(ctx, member.person().id, change, caller).await?;
    let person = person.ok_or_else(Refusal::not_found)?;
    Ok(Json(Profile::of(&person)))
}

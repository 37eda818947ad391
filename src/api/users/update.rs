//! Changing an account: staff what they may change on its page, everybody else what they say of
//! themselves.

use rocket::serde::json::Json;
use rocket::{Route, State, patch, put, routes};

use super::{User, no_such_group, not_done, seen, taken};
use crate::accounts::{Edited, Profile};
use crate::admin::Actor;
use crate::api::body::Body;
use crate::api::credentials::Member;
use crate::api::error::{Error, Refusal};
use crate::api::fields::{Complaints, Fields, Sent, local_email};
use crate::api::openapi::{Described, Field, HttpMethod, Kind, Section, closed, may, needs};
use crate::context::Ctx;
use crate::flows;
use crate::flows::admin::user_update::UpdateUserError;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::types::{BirthDate, Caller, Email, Gender, GroupId, Name, Permission, UserId};

pub(crate) fn routes() -> Vec<Route> {
    routes![update, replace]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |method, about| closed(method, "/api/users/{id}", Section::Users, about);
    let fields = |email: Field| {
        [
            email,
            may("name", Kind::Text),
            may("gender", Kind::Gender),
            may("date_of_birth", Kind::Day),
            may("is_active", Kind::Flag),
            may("is_staff", Kind::Flag),
            may("is_superuser", Kind::Flag),
            may("groups", Kind::Numbers),
        ]
    };
    vec![
        route(HttpMethod::Patch, "openapi.users.update")
            .takes(fields(may("email", Kind::Email)))
            .gives::<User>(200)
            .refuses(&[403, 404]),
        route(HttpMethod::Put, "openapi.users.replace")
            .takes(fields(needs("email", Kind::Email)))
            .gives::<User>(200)
            .refuses(&[403, 404]),
    ]
}

/// What is left out stays as it is.
#[patch("/api/users/<id>", data = "<body>")]
async fn update(
    id: &str,
    member: Member,
    body: Body,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Json<User>, Error> {
    change((id, &body), false, &member.0, caller, ctx).await
}

/// The address must be there where it may be changed; what else is left out stays as it is here too.
#[put("/api/users/<id>", data = "<body>")]
async fn replace(
    id: &str,
    member: Member,
    body: Body,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Json<User>, Error> {
    change((id, &body), true, &member.0, caller, ctx).await
}

async fn change(
    (id, body): (&str, &Body),
    is_whole: bool,
    member: &SignedIn,
    caller: &Caller,
    ctx: &Ctx,
) -> Result<Json<User>, Error> {
    let user_id = seen(id, member, &[Permission::UsersView, Permission::UsersChange])?;
    if member.person().may(Permission::UsersChange) {
        as_staff(user_id, (body, is_whole), member, caller, ctx).await?;
    } else if user_id == member.person().id {
        as_oneself(user_id, body, caller, ctx).await?;
    } else {
        return Err(Refusal::forbidden().into());
    }
    User::find(ctx, user_id).await
}

/// What people say of themselves.
struct About {
    name: Sent<Name>,
    gender: Sent<Option<Gender>>,
    date_of_birth: Sent<Option<BirthDate>>,
}

impl About {
    fn read(fields: &mut Fields<'_>, ctx: &Ctx) -> Self {
        let today = ctx.clock.now().date();
        Self {
            name: fields.name("name"),
            gender: fields.gender("gender"),
            date_of_birth: fields.date_of_birth("date_of_birth", today),
        }
    }
}

/// Everything else is read-only to whoever is no staff, and not looked at.
async fn as_oneself(user_id: UserId, body: &Body, caller: &Caller, ctx: &Ctx) -> Result<(), Error> {
    let mut fields = Fields::of(body);
    let about = About::read(&mut fields, ctx);
    let complaints = fields.complaints();
    if !complaints.is_empty() {
        return Err(complaints.into());
    }
    let change = |profile: &mut Profile| {
        about.name.replace(&mut profile.name);
        about.gender.replace(&mut profile.gender);
        about.date_of_birth.replace(&mut profile.date_of_birth);
    };
    flows::account::profile::update(ctx, user_id, change, caller)
        .await?
        .ok_or_else(Refusal::not_found)?;
    Ok(())
}

/// What staff write of an account. Whether its address is proved is not among it: whoever sends back
/// what they have read would take every new address for proved.
struct Change {
    email: Option<Email>,
    about: About,
    is_active: Sent<bool>,
    is_staff: Sent<bool>,
    is_superuser: Sent<bool>,
    groups: Sent<Vec<GroupId>>,
}

impl Change {
    fn read(body: &Body, is_whole: bool, ctx: &Ctx) -> Result<Self, Complaints> {
        let mut fields = Fields::of(body);
        let change = Self {
            email: if is_whole { fields.email("email") } else { fields.email_if_sent("email") },
            about: About::read(&mut fields, ctx),
            is_active: fields.flag("is_active"),
            is_staff: fields.flag("is_staff"),
            is_superuser: fields.flag("is_superuser"),
            groups: fields.groups("groups"),
        };
        let complaints = fields.complaints();
        if complaints.is_empty() { Ok(change) } else { Err(complaints) }
    }

    fn apply(self, edited: &mut Edited, groups: &mut Vec<GroupId>) {
        if let Some(email) = self.email {
            edited.email = email;
        }
        self.about.name.replace(&mut edited.name);
        self.about.gender.replace(&mut edited.gender);
        self.about.date_of_birth.replace(&mut edited.date_of_birth);
        self.is_active.replace(&mut edited.is_active);
        self.is_staff.replace(&mut edited.is_staff);
        self.is_superuser.replace(&mut edited.is_superuser);
        self.groups.replace(groups);
    }
}

async fn as_staff(
    user_id: UserId,
    (body, is_whole): (&Body, bool),
    member: &SignedIn,
    caller: &Caller,
    ctx: &Ctx,
) -> Result<(), Error> {
    let change = Change::read(body, is_whole, ctx)?;
    let has_just_proved = guards::has_just_proved(ctx, member).await?;
    let actor = Actor { user: member.person(), caller };
    let apply = |edited: &mut Edited, groups: &mut Vec<GroupId>| change.apply(edited, groups);
    flows::admin::user_update::patch(ctx, actor, user_id, has_just_proved, apply)
        .await
        .map_err(refused)?;
    Ok(())
}

fn refused(error: UpdateUserError) -> Error {
    match error {
        UpdateUserError::Admin(error) => not_done(error),
        UpdateUserError::ReauthenticationRequired => Refusal::prove_first().into(),
        UpdateUserError::EmailTaken => taken(),
        UpdateUserError::LocalEmail => local_email(),
        UpdateUserError::GroupNotFound => no_such_group(),
        // Only a version that was seen can be old, and none was sent.
        UpdateUserError::Stale(_) => Refusal::not_found().into(),
    }
}

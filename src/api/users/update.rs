//! Updates a user: staff everything that its admin page offers, other users their own profile.

use rocket::serde::json::Json;
use rocket::{Route, State, patch, put, routes};

use super::{UserRow, admin_error, email_taken, no_such_group, visible_user};
use crate::accounts::AccountUpdate;
use crate::admin::Actor;
use crate::api::body::Body;
use crate::api::credentials::Authenticated;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::field_errors::{FieldErrors, local_email_error};
use crate::api::fields::{FieldReader, Patch};
use crate::api::openapi::{
    Endpoint, FieldSpec, FieldType, HttpMethod, Section, authenticated, optional, required,
};
use crate::api::profile_fields;
use crate::api::profile_fields::ProfilePatch;
use crate::context::Context;
use crate::flows;
use crate::flows::admin::user_update::UpdateUserError;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::types::{Email, GroupId, Permission, Profile, RequestInfo, UserId};

pub(crate) fn routes() -> Vec<Route> {
    routes![update, replace]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route =
        |method, patch| authenticated(method, paths::api_user("{id}"), Section::Users, patch);
    let fields = |email: FieldSpec| {
        let mut fields = vec![email];
        fields.extend(profile_fields::field_specs());
        fields.extend([
            optional("is_active", FieldType::Flag),
            optional("is_staff", FieldType::Flag),
            optional("is_superuser", FieldType::Flag),
            optional("groups", FieldType::Numbers),
        ]);
        fields
    };
    vec![
        route(HttpMethod::Patch, "openapi.users.update")
            .body(fields(optional("email", FieldType::Email)))
            .returns::<UserRow>(200)
            .errors(&[403, 404]),
        route(HttpMethod::Put, "openapi.users.replace")
            .body(fields(required("email", FieldType::Email)))
            .returns::<UserRow>(200)
            .errors(&[403, 404]),
    ]
}

/// Updates the fields that were sent.
#[patch("/api/users/<id>", data = "<body>")]
async fn update(
    id: &str,
    user: Authenticated,
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<UserRow>, Error> {
    change(id, &body, false, &user.0, info, ctx).await
}

/// Updates the fields that were sent; requires the e-mail address, if the client may change it.
#[put("/api/users/<id>", data = "<body>")]
async fn replace(
    id: &str,
    user: Authenticated,
    body: Body,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Json<UserRow>, Error> {
    change(id, &body, true, &user.0, info, ctx).await
}

async fn change(
    id: &str,
    body: &Body,
    is_whole: bool,
    user: &SignedIn,
    info: &RequestInfo,
    ctx: &Context,
) -> Result<Json<UserRow>, Error> {
    let user_id = visible_user(id, user, &[Permission::UsersView, Permission::UsersChange])?;
    if user.user().may(Permission::UsersChange) {
        update_as_staff(user_id, body, is_whole, user, info, ctx).await?;
    } else if user_id == user.user().id {
        update_own(user_id, body, info, ctx).await?;
    } else {
        return Err(ErrorDetail::forbidden().into());
    }
    UserRow::find(ctx, user_id).await
}

/// Updates the user's own profile.
async fn update_own(
    user_id: UserId,
    body: &Body,
    info: &RequestInfo,
    ctx: &Context,
) -> Result<(), Error> {
    let mut fields = FieldReader::of(body);
    // Everything else is read-only to users who are not staff, and ignored.
    let patch = ProfilePatch::read(&mut fields, ctx.clock.now().date());
    let errors = fields.into_errors();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let change = |profile: &mut Profile, _: &mut _| patch.apply(profile);
    flows::account::profile::update(ctx, user_id, change, info)
        .await?
        .ok_or_else(ErrorDetail::not_found)?;
    Ok(())
}

/// The fields that staff may update.
struct UserPatch {
    // Not whether it is verified: a client that sends back what it has read would mark each new
    // address as verified.
    email: Option<Email>,
    patch: ProfilePatch,
    is_active: Patch<bool>,
    is_staff: Patch<bool>,
    is_superuser: Patch<bool>,
    groups: Patch<Vec<GroupId>>,
}

impl UserPatch {
    fn read(body: &Body, is_whole: bool, ctx: &Context) -> Result<Self, FieldErrors> {
        let mut fields = FieldReader::of(body);
        let change = Self {
            email: if is_whole { fields.email("email") } else { fields.patched_email("email") },
            patch: ProfilePatch::read(&mut fields, ctx.clock.now().date()),
            is_active: fields.flag("is_active"),
            is_staff: fields.flag("is_staff"),
            is_superuser: fields.flag("is_superuser"),
            groups: fields.groups("groups"),
        };
        let errors = fields.into_errors();
        if errors.is_empty() { Ok(change) } else { Err(errors) }
    }

    fn apply(self, edited: &mut AccountUpdate, groups: &mut Vec<GroupId>) {
        if let Some(email) = self.email {
            edited.email = email;
        }
        self.patch.apply(&mut edited.profile);
        self.is_active.replace(&mut edited.is_active);
        self.is_staff.replace(&mut edited.is_staff);
        self.is_superuser.replace(&mut edited.is_superuser);
        self.groups.replace(groups);
    }
}

async fn update_as_staff(
    user_id: UserId,
    body: &Body,
    is_whole: bool,
    user: &SignedIn,
    info: &RequestInfo,
    ctx: &Context,
) -> Result<(), Error> {
    let change = UserPatch::read(body, is_whole, ctx)?;
    let has_reauthenticated = guards::has_reauthenticated(ctx, user).await?;
    let actor = Actor { user: user.user(), info };
    let apply =
        |edited: &mut AccountUpdate, groups: &mut Vec<GroupId>| change.apply(edited, groups);
    flows::admin::user_update::patch(ctx, actor, user_id, has_reauthenticated, apply)
        .await
        .map_err(update_error)?;
    Ok(())
}

fn update_error(error: UpdateUserError) -> Error {
    match error {
        UpdateUserError::Admin(error) => admin_error(error),
        UpdateUserError::ReauthenticationRequired => {
            ErrorDetail::reauthentication_required().into()
        }
        UpdateUserError::EmailTaken => email_taken(),
        UpdateUserError::LocalEmail => local_email_error().into(),
        UpdateUserError::GroupNotFound => no_such_group(),
        // Only a request with a version can be stale, and none was sent.
        UpdateUserError::Stale(_) => ErrorDetail::not_found().into(),
    }
}

//! Creates a user, with a password or with an invitation to choose one.

use rocket::serde::json::Json;
use rocket::{Responder, Route, State, post, routes};

use super::{UserRow, admin_error, email_taken, no_such_group};
use crate::accounts::NewPasswordError;
use crate::admin::Actor;
use crate::api::body::Body;
use crate::api::credentials::Authenticated;
use crate::api::error::Error;
use crate::api::error_detail::ErrorDetail;
use crate::api::field_errors::{FieldErrors, local_email_error};
use crate::api::fields::FieldReader;
use crate::api::openapi::{
    Endpoint, FieldType, HttpMethod, Section, authenticated, optional, required,
};
use crate::api::profile_fields;
use crate::api::profile_fields::ProfilePatch;
use crate::context::Context;
use crate::flows;
use crate::flows::admin::user_create::{CreateUserError, NewUser};
use crate::http::guards;
use crate::i18n::Language;
use crate::paths;
use crate::types::{Permission, RequestInfo};

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route =
        authenticated(HttpMethod::Post, paths::API_USERS, Section::Users, "openapi.users.create");
    let mut fields =
        vec![required("email", FieldType::Email), optional("password", FieldType::Password)];
    fields.extend(profile_fields::field_specs());
    fields.extend([
        optional("is_active", FieldType::Flag),
        optional("is_staff", FieldType::Flag),
        optional("is_superuser", FieldType::Flag),
        optional("groups", FieldType::Numbers),
    ]);
    vec![route.body(fields).returns::<UserRow>(201).errors(&[403, 503])]
}

/// The new user, and its URL.
#[derive(Responder)]
#[response(status = 201)]
struct Created {
    user: Json<UserRow>,
    location: rocket::http::Header<'static>,
}

/// Creates a user. Without a password, an invitation is sent in the language of the request.
#[post("/api/users", data = "<body>")]
async fn create(
    user: Authenticated,
    body: Body,
    language: Language,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Created, Error> {
    let Authenticated(user) = user;
    if !user.user().may(Permission::UsersAdd) {
        return Err(ErrorDetail::forbidden().into());
    }
    let has_reauthenticated = guards::has_reauthenticated(ctx, &user).await?;
    let new_user = new_user(&body, language, has_reauthenticated, ctx)?;
    let actor = Actor { user: user.user(), info };
    let added =
        flows::admin::user_create::create(ctx, actor, new_user).await.map_err(create_error)?;
    let user = UserRow::find(ctx, added.user).await?;
    let location = rocket::http::Header::new("Location", user.url.clone());
    Ok(Created { user, location })
}

fn new_user(
    body: &Body,
    language: Language,
    has_reauthenticated: bool,
    ctx: &Context,
) -> Result<NewUser, FieldErrors> {
    let today = ctx.clock.now().date();
    let mut fields = FieldReader::of(body);
    let email = fields.email("email");
    let profile = ProfilePatch::read(&mut fields, today).into_new();
    let password = fields.optional_new_password("password");
    let is_active = fields.flag("is_active").or(true);
    let is_staff = fields.flag("is_staff").or(false);
    let is_superuser = fields.flag("is_superuser").or(false);
    let groups = fields.groups("groups").or(Vec::new());
    let errors = fields.into_errors();
    let (Some(email), true) = (email, errors.is_empty()) else { return Err(errors) };
    Ok(NewUser {
        email,
        profile,
        password,
        language,
        is_active,
        is_staff,
        is_superuser,
        groups,
        has_reauthenticated,
    })
}

fn create_error(error: CreateUserError) -> Error {
    match error {
        CreateUserError::Admin(error) => admin_error(error),
        CreateUserError::ReauthenticationRequired => {
            ErrorDetail::reauthentication_required().into()
        }
        CreateUserError::EmailTaken => email_taken(),
        CreateUserError::LocalEmail => local_email_error().into(),
        CreateUserError::GroupNotFound => no_such_group(),
        CreateUserError::PasswordRejected(NewPasswordError::Weak(found)) => {
            let mut errors = FieldErrors::default();
            errors.add_weaknesses(&found, |_| "password");
            errors.into()
        }
        CreateUserError::PasswordRejected(NewPasswordError::Busy(full)) => full.into(),
    }
}

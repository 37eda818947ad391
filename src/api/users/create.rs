//! Making an account for somebody else, with a password or with an invitation to choose one.

use rocket::serde::json::Json;
use rocket::{Responder, Route, State, post, routes};

use super::{User, no_such_group, not_done, taken};
use crate::accounts::NewPasswordError;
use crate::admin::Actor;
use crate::api::body::Body;
use crate::api::credentials::Member;
use crate::api::error::{Error, Refusal};
use crate::api::fields::{Complaints, Fields, local_email};
use crate::api::openapi::{Described, HttpMethod, Kind, Section, closed, may, needs};
use crate::context::Ctx;
use crate::flows;
use crate::flows::admin::user_create::{CreateUserError, NewUser};
use crate::http::guards;
use crate::i18n::Language;
use crate::types::{Caller, Name, Permission};

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = closed(HttpMethod::Post, "/api/users", Section::Users, "openapi.users.create");
    let fields = [
        needs("email", Kind::Email),
        may("password", Kind::Password),
        may("name", Kind::Text),
        may("gender", Kind::Gender),
        may("date_of_birth", Kind::Day),
        may("is_active", Kind::Flag),
        may("is_staff", Kind::Flag),
        may("is_superuser", Kind::Flag),
        may("groups", Kind::Numbers),
    ];
    vec![route.takes(fields).gives::<User>(201).refuses(&[403, 503])]
}

/// The new account, and where it is.
#[derive(Responder)]
#[response(status = 201)]
struct Created {
    user: Json<User>,
    location: rocket::http::Header<'static>,
}

/// Without a password the person is invited to choose one, by a letter in the language of the request.
#[post("/api/users", data = "<body>")]
async fn create(
    member: Member,
    body: Body,
    language: Language,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Created, Error> {
    let Member(member) = member;
    if !member.person().may(Permission::UsersAdd) {
        return Err(Refusal::forbidden().into());
    }
    let has_just_proved = guards::has_just_proved(ctx, &member).await?;
    let new_user = new_user(&body, language, has_just_proved, ctx)?;
    let actor = Actor { user: member.person(), caller };
    let added = flows::admin::user_create::create(ctx, actor, new_user).await.map_err(refused)?;
    let user = User::find(ctx, added.user).await?;
    let location = rocket::http::Header::new("Location", user.url.clone());
    Ok(Created { user, location })
}

fn new_user(
    body: &Body,
    language: Language,
    has_just_proved: bool,
    ctx: &Ctx,
) -> Result<NewUser, Complaints> {
    let today = ctx.clock.now().date();
    let mut fields = Fields::of(body);
    let email = fields.email("email");
    let name = fields.name("name").or(Name::default());
    let gender = fields.gender("gender").or(None);
    let date_of_birth = fields.date_of_birth("date_of_birth", today).or(None);
    let password = fields.password_if_sent("password");
    let is_active = fields.flag("is_active").or(true);
    let is_staff = fields.flag("is_staff").or(false);
    let is_superuser = fields.flag("is_superuser").or(false);
    let groups = fields.groups("groups").or(Vec::new());
    let complaints = fields.complaints();
    let (Some(email), true) = (email, complaints.is_empty()) else { return Err(complaints) };
    Ok(NewUser {
        email,
        name,
        gender,
        date_of_birth,
        password,
        language,
        is_active,
        is_staff,
        is_superuser,
        groups,
        has_just_proved,
    })
}

fn refused(error: CreateUserError) -> Error {
    match error {
        CreateUserError::Admin(error) => not_done(error),
        CreateUserError::ReauthenticationRequired => Refusal::prove_first().into(),
        CreateUserError::EmailTaken => taken(),
        CreateUserError::LocalEmail => local_email(),
        CreateUserError::GroupNotFound => no_such_group(),
        CreateUserError::PasswordRejected(NewPasswordError::Weak(found)) => {
            let mut complaints = Complaints::default();
            complaints.add_weak(&found, |_| "password");
            complaints.into()
        }
        CreateUserError::PasswordRejected(NewPasswordError::Busy(full)) => full.into(),
    }
}

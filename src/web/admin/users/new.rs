//! Creating an account for another user, with a password or with an invitation to choose one.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use super::actions;
use super::actions::HandlerResult;
use super::edit;
use super::edit::{GroupCheckbox, checkbox, group_ids, is_checked};
use crate::context::Context;
use crate::flows;
use crate::flows::admin::user_create::{CreateUserError, NewUser};
use crate::http::cookies;
use crate::http::guards::{AddsUsers, SignedIn};
use crate::i18n::Language;
use crate::types::{Email, GroupId, Name, Password, Permission, RequestInfo};
use crate::web::account::{Response, reauthentication};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::raw::{RawForm, RawSubmitted};
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{FormErrors, FormView};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

#[derive(FromForm, Validate)]
struct NewUserForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::email"))]
    email: String,
    #[field(default = String::new())]
    #[validate(custom(function = "rules::name"))]
    name: String,
    #[field(default = String::new())]
    password1: String,
    #[field(default = String::new())]
    #[validate(must_match(other = "password1", code = "password.differs"))]
    password2: String,
    #[field(default = String::new())]
    #[validate(custom(function = "checkbox"))]
    is_active: String,
    #[field(default = String::new())]
    #[validate(custom(function = "checkbox"))]
    is_staff: String,
    #[field(default = String::new())]
    #[validate(custom(function = "checkbox"))]
    is_superuser: String,
    #[field(default = Vec::new())]
    groups: Vec<String>,
}

impl RawForm for NewUserForm {
    const FIELDS: &'static [&'static str] = &[
        "email",
        "name",
        "password1",
        "password2",
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
    ];

    const REPEATED: &'static [&'static str] = &["groups"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        let mut kept = vec![
            ("email", self.email.as_str()),
            ("name", self.name.as_str()),
            ("is_active", self.is_active.as_str()),
            ("is_staff", self.is_staff.as_str()),
            ("is_superuser", self.is_superuser.as_str()),
        ];
        kept.extend(self.groups.iter().map(|id| ("groups", id.as_str())));
        kept
    }
}

impl NewUserForm {
    /// Returns the empty form.
    fn blank() -> Self {
        let empty = String::new;
        Self {
            email: empty(),
            name: empty(),
            password1: empty(),
            password2: empty(),
            is_active: "true".to_owned(),
            is_staff: empty(),
            is_superuser: empty(),
            groups: Vec::new(),
        }
    }

    /// Returns the values of a form that passed its rules.
    fn parsed(
        &self,
        groups: Vec<GroupId>,
        language: Language,
        has_reauthenticated: bool,
    ) -> NewUser {
        let holds = "the rules hold, and they are these parsers";
        NewUser {
            email: Email::parse(&self.email).expect(holds),
            name: Name::parse(&self.name).expect(holds),
            gender: None,
            date_of_birth: None,
            // Without a password the user gets an invitation.
            password: Password::parse(&self.password1).ok(),
            language,
            is_active: is_checked(&self.is_active),
            is_staff: is_checked(&self.is_staff),
            is_superuser: is_checked(&self.is_superuser),
            groups,
            has_reauthenticated,
        }
    }
}

#[derive(Template)]
#[template(path = "admin/users/new.html")]
struct NewUserPage {
    page: PageContext,
    form: FormView,
    groups: Vec<GroupCheckbox>,
    may_make_staff: bool,
    may_make_superusers: bool,
    min_length: u8,
}

#[get("/admin/users/new")]
async fn new(staff: AddsUsers, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    let form = FormView::filled(&page, &NewUserForm::blank(), &FormErrors::default());
    render(form, (&staff.0, page, ctx)).await
}

#[post("/admin/users/new", data = "<sent>")]
async fn create(
    sent: RawSubmitted<NewUserForm>,
    staff: AddsUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> HandlerResult {
    let (staff, form) = (staff.0, &sent.form);
    let mut errors = sent.errors(form.validate());
    let ids = group_ids(&form.groups);
    if ids.is_none() {
        errors.add("groups", "admin.user.groups_unknown");
    }
    let (true, Some(ids)) = (errors.is_empty(), ids) else {
        return rerender(form, &errors.into(), (&staff, page, ctx)).await;
    };
    let has_reauthenticated = staff.has_reauthenticated(ctx.clock.now());
    let new_user = form.parsed(ids, page.language(), has_reauthenticated);
    match flows::admin::user_create::create(ctx, actions::actor(&staff, info), new_user).await {
        Ok(added) => {
            Flash::UserCreated.set(jar, ctx);
            if let Some(invitation) = added.invitation {
                cookies::flash_invitation(jar, ctx, added.user, &invitation);
            }
            Ok(Response::Redirect(actions::redirect_to_user(added.user, &staff)))
        }
        Err(CreateUserError::ReauthenticationRequired) => {
            Ok(Response::Redirect(reauthentication::redirect(&page)))
        }
        Err(error) => rerender(form, &reject(error)?, (&staff, page, ctx)).await,
    }
}

/// Returns the message for an account that was not created.
fn reject(error: CreateUserError) -> Result<Rejection, Error> {
    match error {
        CreateUserError::Admin(error) => actions::rejection(error),
        CreateUserError::EmailTaken => Ok(Rejection::on_field("email", "email.taken")),
        CreateUserError::LocalEmail => Ok(Rejection::on_field("email", "email.local")),
        CreateUserError::GroupNotFound => {
            Ok(Rejection::on_field("groups", "admin.user.groups_unknown"))
        }
        CreateUserError::PasswordRejected(error) => {
            Rejection::new_password_rejected("password1", error)
        }
        // The caller redirects to reauthentication.
        CreateUserError::ReauthenticationRequired => Err(Status::Forbidden.into()),
    }
}

async fn rerender(
    form: &NewUserForm,
    rejection: &Rejection,
    (staff, page, ctx): (&SignedIn, PageContext, &Context),
) -> HandlerResult {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(form, (staff, page, ctx)).await?)))
}

async fn render(
    form: FormView,
    (staff, page, ctx): (&SignedIn, PageContext, &Context),
) -> Result<Page, Error> {
    let reader = staff.user();
    Page::render(&NewUserPage {
        page,
        form,
        groups: edit::group_checkboxes(ctx, reader.permissions()).await?,
        may_make_staff: reader.may(Permission::UsersChange),
        may_make_superusers: reader.is_superuser,
        min_length: ctx.settings.password_min_length,
    })
}

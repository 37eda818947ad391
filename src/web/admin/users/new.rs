//! Creating an account for another user, with a password or with an invitation to choose one.

use askama::Template;
use rocket::http::Status;
use rocket::{Route, get, post, routes};

use super::group_checkboxes::GroupCheckbox;
use super::{group_checkboxes, target, user_form};
use crate::flows;
use crate::flows::admin::user_create::{CreateUserError, NewUser};
use crate::http::cookies;
use crate::http::guards::{AddsUsers, SignedIn};
use crate::i18n::Language;
use crate::types::{Email, GroupId, Password, Permission};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::profile::ProfileFields;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Choices, Field, FormPage, FormView, Submitted, form};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, create]
}

form! {
    struct NewUserForm {
        email: Field<Email>,
        profile: ProfileFields,
        password1: Field<Option<Password>>,
        password2: Field<Option<Password>>,
        is_active: Field<bool>,
        is_staff: Field<bool>,
        is_superuser: Field<bool>,
        groups: Choices<GroupId>,
    }
    same: password2 == password1;
}

impl NewUserForm {
    fn new_user(&self, language: Language, has_reauthenticated: bool) -> Option<NewUser> {
        Some(NewUser {
            email: self.email.value()?,
            profile: self.profile.profile()?,
            // Without a password the user gets an invitation.
            password: self.password1.value()?,
            language,
            is_active: self.is_active.value()?,
            is_staff: self.is_staff.value()?,
            is_superuser: self.is_superuser.value()?,
            groups: user_form::unique_ids(&self.groups)?,
            has_reauthenticated,
        })
    }
}

#[derive(Template)]
#[template(path = "admin/users/new.html")]
struct NewUserPage<'a> {
    page: &'a PageContext,
    form: FormView,
    groups: Vec<GroupCheckbox>,
    may_make_staff: bool,
    may_make_superusers: bool,
    min_length: u8,
}

/// The subject is the reader.
impl FormPage<SignedIn> for NewUserForm {
    async fn render(
        form: FormView,
        reader: &SignedIn,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let (ctx, reader) = (request.context, reader.user());
        Page::render(&NewUserPage {
            page: &request.page,
            form,
            groups: group_checkboxes::list(ctx, reader.permissions()).await?,
            may_make_staff: reader.may(Permission::UsersChange),
            may_make_superusers: reader.is_superuser,
            min_length: ctx.settings.password_min_length,
        })
    }
}

#[get("/admin/users/new")]
async fn new(staff: AddsUsers, request: RequestContext<'_>) -> Result<Page, Error> {
    let form = FormView::with_values([("is_active", "true".to_owned())]);
    NewUserForm::render(form, &staff.0, &request).await
}

#[post("/admin/users/new", data = "<form>")]
async fn create(
    form: Submitted<NewUserForm>,
    staff: AddsUsers,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let (staff, ctx) = (staff.0, request.context);
    let has_reauthenticated = staff.has_reauthenticated(ctx.clock.now());
    let new_user = form.new_user(request.page.language(), has_reauthenticated);
    let Some(new_user) = new_user.filter(|_| form.errors.is_empty()) else {
        return form.rerender_on(&staff, &request).await;
    };
    let actor = target::actor(&staff, request.info);
    match flows::admin::user_create::create(ctx, actor, new_user).await {
        Ok(added) => {
            request.flash(Flash::UserCreated);
            if let Some(invitation) = added.invitation {
                cookies::flash_invitation(request.cookies, ctx, added.user, &invitation);
            }
            Ok(Response::Redirect(target::redirect_to_user(added.user, &staff)))
        }
        Err(CreateUserError::ReauthenticationRequired) => Err(request.reauthentication_required()),
        Err(error) => form.reject_on(&staff, rejection(error)?, &request).await,
    }
}

/// Returns the message for an account that was not created.
fn rejection(error: CreateUserError) -> Result<Rejection, Error> {
    match error {
        CreateUserError::Admin(error) => target::rejection(error),
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

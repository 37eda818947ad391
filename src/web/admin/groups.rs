//! Groups of staff: the list, and the permissions of each.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use crate::admin::Actor;
use crate::context::Context;
use crate::flows;
use crate::flows::admin::groups::GroupError;
use crate::groups;
use crate::groups::{Group, GroupName};
use crate::http::guards::{ChangesUsers, SignedIn, ViewsUsers};
use crate::paths;
use crate::types::{GroupId, Permission, Permissions, RequestInfo, User};
use crate::web::account::{Response, reauthentication};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::raw::{RawForm, RawSubmitted};
use crate::web::forms::rejection::Rejection;
use crate::web::forms::rules;
use crate::web::forms::{ButtonForm, FormErrors, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, new, create, edit, update, confirm, destroy]
}

/// Groups in the list; a site has a handful.
const MAX_LISTED: usize = 200;

#[derive(FromForm, Validate)]
struct GroupForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::group_name"))]
    name: String,
    #[field(default = Vec::new())]
    #[validate(custom(function = "rules::permissions"))]
    permissions: Vec<String>,
}

impl RawForm for GroupForm {
    const FIELDS: &'static [&'static str] = &["name", "permissions"];
    const REPEATED: &'static [&'static str] = &["permissions"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        let ticked = self.permissions.iter().map(|name| ("permissions", name.as_str()));
        std::iter::once(("name", self.name.as_str())).chain(ticked).collect()
    }
}

impl GroupForm {
    /// Fills the form from a group.
    fn of(group: &Group) -> Self {
        let permissions = group.permissions.iter();
        let permissions = permissions.map(|permission| permission.as_str().to_owned()).collect();
        Self { name: group.name.clone(), permissions }
    }

    /// Returns the values of a form that passed its rules.
    fn parsed(&self) -> (GroupName, Permissions) {
        let name = GroupName::parse(&self.name).expect("the rules hold, and they are this parser");
        let ticked = self.permissions.iter();
        (name, ticked.filter_map(|name| Permission::from_stored(name)).collect())
    }
}

#[derive(Template)]
#[template(path = "admin/groups/index.html")]
struct GroupsPage {
    page: PageContext,
    groups: Vec<GroupRow>,
    has_more: bool,
    may_add: bool,
}

struct GroupRow {
    id: GroupId,
    name: String,
    grants: Vec<&'static str>,
    members: u64,
}

#[derive(Template)]
#[template(path = "admin/groups/edit.html")]
struct GroupPage {
    page: PageContext,
    form: FormView,
    boxes: Vec<PermissionCheckbox>,
    /// `None` for a new group.
    group: Option<(GroupId, u64)>,
    /// Whether the reader has every permission of the group and may change it.
    may_change: bool,
}

struct PermissionCheckbox {
    name: &'static str,
    label: &'static str,
    /// Without dots, so that style sheets can name it.
    id: String,
    /// Nobody grants a permission that they lack.
    is_disabled: bool,
}

#[derive(Template)]
#[template(path = "admin/groups/delete.html")]
struct DeletePage {
    page: PageContext,
    group: GroupRow,
    may_change: bool,
}

#[get("/admin/groups")]
async fn index(reader: ViewsUsers, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    let mut groups = groups::list(&ctx.db, MAX_LISTED as u64 + 1).await?;
    let has_more = groups.len() > MAX_LISTED;
    groups.truncate(MAX_LISTED);
    let may_add = reader.0.user().may(Permission::UsersChange);
    let groups = groups.into_iter().map(group_row).collect();
    Page::render(&GroupsPage { page, groups, has_more, may_add })
}

/// Asks for reauthentication before the form, because the way there would lose what was typed.
#[get("/admin/groups/new")]
fn new(reader: ChangesUsers, page: PageContext, ctx: &State<Context>) -> Result<Response, Error> {
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    render(page, FormView::empty(""), None, &reader.0).map(Response::Page)
}

#[post("/admin/groups/new", data = "<sent>")]
async fn create(
    reader: ChangesUsers,
    sent: RawSubmitted<GroupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let errors = sent.errors(sent.form.validate());
    if !errors.is_empty() {
        return rerender(page, &sent.form, &errors.into(), None, &reader.0);
    }
    let (name, permissions) = sent.form.parsed();
    let actor = Actor { user: reader.0.user(), info };
    match flows::admin::groups::create(ctx, actor, &name, permissions).await {
        Ok(_) => Ok(redirect_with(jar, ctx, Flash::GroupSaved)),
        Err(error) => reject(page, &sent.form, error, None, &reader.0),
    }
}

#[get("/admin/groups/<id>")]
async fn edit(
    id: Option<i64>,
    reader: ViewsUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let group = groups::find(&ctx.db, group_id(id)).await?.ok_or(Status::NotFound)?;
    let form = FormView::filled(&page, &GroupForm::of(&group), &FormErrors::default());
    render(page, form, Some(&group), &reader.0)
}

#[post("/admin/groups/<id>", data = "<sent>")]
async fn update(
    id: Option<i64>,
    reader: ChangesUsers,
    sent: RawSubmitted<GroupForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let group = groups::find(&ctx.db, group_id(id)).await?.ok_or(Status::NotFound)?;
    let errors = sent.errors(sent.form.validate());
    if !errors.is_empty() {
        return rerender(page, &sent.form, &errors.into(), Some(&group), &reader.0);
    }
    let (name, permissions) = sent.form.parsed();
    let actor = Actor { user: reader.0.user(), info };
    match flows::admin::groups::update(ctx, actor, group.id, &name, permissions).await {
        Ok(()) => Ok(redirect_with(jar, ctx, Flash::GroupSaved)),
        Err(error) => reject(page, &sent.form, error, Some(&group), &reader.0),
    }
}

#[get("/admin/groups/<id>/delete")]
async fn confirm(
    id: Option<i64>,
    reader: ChangesUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let group = groups::find(&ctx.db, group_id(id)).await?.ok_or(Status::NotFound)?;
    render_confirmation(page, group, reader.0.user()).map(Response::Page)
}

#[post("/admin/groups/<id>/delete", data = "<_sent>")]
async fn destroy(
    id: Option<i64>,
    reader: ChangesUsers,
    _sent: Submitted<ButtonForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let actor = Actor { user: reader.0.user(), info };
    match flows::admin::groups::delete(ctx, actor, group_id(id)).await {
        Ok(()) => Ok(redirect_with(jar, ctx, Flash::GroupDeleted)),
        Err(GroupError::MissingPermissions | GroupError::MemberHasMore) => {
            Err(Status::Forbidden.into())
        }
        Err(GroupError::NotFound | GroupError::NameTaken) => Err(Status::NotFound.into()),
        Err(GroupError::Broken(error)) => Err(error.into()),
    }
}

/// Returns id 0, which no group has, for what is not a number.
fn group_id(id: Option<i64>) -> GroupId {
    GroupId(id.unwrap_or_default())
}

fn redirect_with(jar: &CookieJar<'_>, ctx: &Context, flash: Flash) -> Response {
    flash.set(jar, ctx);
    Response::Redirect(Redirect::to(paths::ADMIN_GROUPS))
}

fn reject(
    page: PageContext,
    form: &GroupForm,
    error: GroupError,
    group: Option<&Group>,
    reader: &SignedIn,
) -> Result<Response, Error> {
    let rejection = match error {
        GroupError::NotFound => return Err(Status::NotFound.into()),
        GroupError::MissingPermissions => {
            Rejection::on_field("permissions", "permission.above_actor")
        }
        GroupError::MemberHasMore => Rejection::on_field("permissions", "permission.above_member"),
        GroupError::NameTaken => Rejection::on_field("name", "admin.groups.name_taken"),
        GroupError::Broken(error) => return Err(error.into()),
    };
    rerender(page, form, &rejection, group, reader)
}

fn rerender(
    page: PageContext,
    form: &GroupForm,
    rejection: &Rejection,
    group: Option<&Group>,
    reader: &SignedIn,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, group, reader)?)))
}

fn render(
    page: PageContext,
    form: FormView,
    group: Option<&Group>,
    reader: &SignedIn,
) -> Result<Page, Error> {
    let user = reader.user();
    let granted = group.map_or(Permissions::NONE, |group| group.permissions);
    let may_change =
        user.may(Permission::UsersChange) && flows::admin::groups::may_manage(user, granted);
    let boxes = Permission::ALL.into_iter().map(|permission| PermissionCheckbox {
        name: permission.as_str(),
        label: permission_label(permission),
        id: format!("permission-{}", permission.as_str().replace('.', "-")),
        is_disabled: !may_change || !user.may(permission),
    });
    let boxes = boxes.collect();
    let group = group.map(|group| (group.id, group.members));
    Page::render(&GroupPage { page, form, boxes, group, may_change })
}

fn render_confirmation(page: PageContext, group: Group, reader: &User) -> Result<Page, Error> {
    let may_change = flows::admin::groups::may_manage(reader, group.permissions);
    Page::render(&DeletePage { page, group: group_row(group), may_change })
}

fn group_row(group: Group) -> GroupRow {
    let grants = group.permissions.iter().map(permission_label).collect();
    GroupRow { id: group.id, name: group.name, grants, members: group.members }
}

/// Returns the key of a permission's name; a new permission does not compile without one.
pub(crate) fn permission_label(permission: Permission) -> &'static str {
    match permission {
        Permission::UsersView => "permission.users_view",
        Permission::UsersAdd => "permission.users_add",
        Permission::UsersChange => "permission.users_change",
        Permission::UsersDelete => "permission.users_delete",
        Permission::SessionsEnd => "permission.sessions_end",
        Permission::AuditView => "permission.audit_view",
        Permission::SettingsView => "permission.settings_view",
        Permission::SocialChange => "permission.social_change",
    }
}

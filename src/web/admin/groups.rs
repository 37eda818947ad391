//! Groups of staff: the list, and the permissions of each.

use std::borrow::Cow;

use askama::Template;
use rocket::http::Status;
use rocket::{Route, State, get, post, routes};

use crate::admin::Actor;
use crate::context::Context;
use crate::flows;
use crate::flows::admin::groups::GroupError;
use crate::groups;
use crate::groups::{Group, GroupName};
use crate::http::guards::{ChangesUsers, SignedIn, ViewsUsers};
use crate::paths;
use crate::types::{GroupId, Permission, Permissions};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{
    ButtonForm, Choices, Field, FormPage, FormView, ParsedForm, Submitted, form,
};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![index, new, create, edit, update, confirm, destroy]
}

/// Groups in the list; a site has a handful.
const MAX_LISTED: usize = 200;

form! {
    struct GroupForm {
        name: Field<GroupName>,
        permissions: Choices<Permission>,
    }
}

impl GroupForm {
    /// Returns the values of a group's form.
    fn values_of(group: &Group) -> Vec<(&'static str, String)> {
        let granted = group.permissions.iter();
        let granted = granted.map(|permission| ("permissions", permission.as_str().to_owned()));
        std::iter::once(("name", group.name.clone())).chain(granted).collect()
    }
}

impl ParsedForm for GroupForm {
    type Parsed = (GroupName, Permissions);

    fn parsed(&self) -> Option<Self::Parsed> {
        Some((self.name.value()?, self.permissions.values()?.into_iter().collect()))
    }
}

/// What the page of a group needs beside its form.
struct GroupSubject {
    /// `None` for a new group.
    group: Option<Group>,
    reader: SignedIn,
}

impl FormPage<GroupSubject> for GroupForm {
    async fn render(
        form: FormView,
        subject: &GroupSubject,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let (user, group) = (subject.reader.user(), subject.group.as_ref());
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
        Page::render(&GroupPage { page: &request.page, form, boxes, group, may_change })
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
struct GroupPage<'a> {
    page: &'a PageContext,
    form: FormView,
    boxes: Vec<PermissionCheckbox>,
    /// `None` for a new group.
    group: Option<&'a Group>,
    /// Whether the reader has every permission of the group and may change it.
    may_change: bool,
}

impl GroupPage<'_> {
    /// Returns the name of the group, or what the page of a new group is for.
    fn title(&self) -> Cow<'_, str> {
        let name = self.group.map(|group| Cow::Borrowed(group.name.as_str()));
        name.unwrap_or_else(|| self.page.t("admin.groups.new"))
    }
}

struct PermissionCheckbox {
    name: &'static str,
    label: &'static str,
    /// Without dots, so that style sheets can name it.
    id: String,
    /// Staff grant only permissions that they have.
    is_disabled: bool,
}

#[derive(Template)]
#[template(path = "admin/groups/delete.html")]
struct DeletePage<'a> {
    page: &'a PageContext,
    group: GroupRow,
    may_change: bool,
}

#[get("/admin/groups")]
async fn index(reader: ViewsUsers, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    // One more than is shown, to know whether there are more.
    let mut groups = groups::list(&ctx.db, MAX_LISTED as u64 + 1).await?;
    let has_more = groups.len() > MAX_LISTED;
    groups.truncate(MAX_LISTED);
    let may_add = reader.0.user().may(Permission::UsersChange);
    let groups = groups.into_iter().map(group_row).collect();
    Page::render(&GroupsPage { page, groups, has_more, may_add })
}

#[get("/admin/groups/new")]
async fn new(reader: ChangesUsers, request: RequestContext<'_>) -> Result<Page, Error> {
    // Before the form, because the way there would lose what was typed.
    request.require_reauthentication(&reader.0)?;
    let subject = GroupSubject { group: None, reader: reader.0 };
    GroupForm::render(FormView::empty(""), &subject, &request).await
}

#[post("/admin/groups/new", data = "<form>")]
async fn create(
    reader: ChangesUsers,
    form: Submitted<GroupForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    request.require_reauthentication(&reader.0)?;
    let subject = GroupSubject { group: None, reader: reader.0 };
    let Some((name, permissions)) = form.parsed() else {
        return form.rerender_on(&subject, &request).await;
    };
    let actor = Actor { user: subject.reader.user(), info: request.info };
    match flows::admin::groups::create(request.context, actor, &name, permissions).await {
        Ok(_) => Ok(saved(&request, Flash::GroupSaved)),
        Err(error) => form.reject_on(&subject, rejection(error)?, &request).await,
    }
}

#[get("/admin/groups/<id>")]
async fn edit(
    id: Option<i64>,
    reader: ViewsUsers,
    request: RequestContext<'_>,
) -> Result<Page, Error> {
    let group = find(id, &request).await?;
    let form = FormView::with_values(GroupForm::values_of(&group));
    let subject = GroupSubject { group: Some(group), reader: reader.0 };
    GroupForm::render(form, &subject, &request).await
}

#[post("/admin/groups/<id>", data = "<form>")]
async fn update(
    id: Option<i64>,
    reader: ChangesUsers,
    form: Submitted<GroupForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    request.require_reauthentication(&reader.0)?;
    let group = find(id, &request).await?;
    let group_id = group.id;
    let subject = GroupSubject { group: Some(group), reader: reader.0 };
    let Some((name, permissions)) = form.parsed() else {
        return form.rerender_on(&subject, &request).await;
    };
    let actor = Actor { user: subject.reader.user(), info: request.info };
    match flows::admin::groups::update(request.context, actor, group_id, &name, permissions).await {
        Ok(()) => Ok(saved(&request, Flash::GroupSaved)),
        Err(error) => form.reject_on(&subject, rejection(error)?, &request).await,
    }
}

#[get("/admin/groups/<id>/delete")]
async fn confirm(
    id: Option<i64>,
    reader: ChangesUsers,
    request: RequestContext<'_>,
) -> Result<Page, Error> {
    request.require_reauthentication(&reader.0)?;
    let group = find(id, &request).await?;
    let may_change = flows::admin::groups::may_manage(reader.0.user(), group.permissions);
    Page::render(&DeletePage { page: &request.page, group: group_row(group), may_change })
}

#[post("/admin/groups/<id>/delete", data = "<_form>")]
async fn destroy(
    id: Option<i64>,
    reader: ChangesUsers,
    _form: Submitted<ButtonForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    request.require_reauthentication(&reader.0)?;
    let actor = Actor { user: reader.0.user(), info: request.info };
    match flows::admin::groups::delete(request.context, actor, group_id(id)).await {
        Ok(()) => Ok(saved(&request, Flash::GroupDeleted)),
        Err(GroupError::MissingPermissions | GroupError::MemberHasMore) => {
            Err(Status::Forbidden.into())
        }
        Err(GroupError::NotFound | GroupError::NameTaken) => Err(Status::NotFound.into()),
        Err(GroupError::Database(error)) => Err(error.into()),
    }
}

async fn find(id: Option<i64>, request: &RequestContext<'_>) -> Result<Group, Error> {
    let group = groups::find(&request.context.db, group_id(id)).await?;
    group.ok_or_else(|| Status::NotFound.into())
}

/// Returns id 0, which no group has, for what is not a number.
fn group_id(id: Option<i64>) -> GroupId {
    GroupId(id.unwrap_or_default())
}

fn saved(request: &RequestContext<'_>, message: Flash) -> Response {
    request.flash(message);
    Response::redirect_to(paths::ADMIN_GROUPS)
}

fn rejection(error: GroupError) -> Result<Rejection, Error> {
    match error {
        GroupError::NotFound => Err(Status::NotFound.into()),
        GroupError::MissingPermissions => {
            Ok(Rejection::on_field("permissions", "permission.above_actor"))
        }
        GroupError::MemberHasMore => {
            Ok(Rejection::on_field("permissions", "permission.above_member"))
        }
        GroupError::NameTaken => Ok(Rejection::on_field("name", "admin.groups.name_taken")),
        GroupError::Database(error) => Err(error.into()),
    }
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

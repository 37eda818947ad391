//! Groups of staff: what there is, and what each lets its members do.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use validator::Validate;

use crate::admin::Acting;
use crate::context::Ctx;
use crate::flows;
use crate::flows::admin::groups::TeamError;
use crate::groups;
use crate::groups::{Group, GroupName};
use crate::http::guards::{ChangesUsers, SignedIn, ViewsUsers};
use crate::types::{Caller, GroupId, Permission, Permissions, Person};
use crate::web::account::{Answer, reauthentication};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::rules;
use crate::web::forms::{ButtonForm, Complaints, Form, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, new, create, edit, update, confirm, destroy]
}

/// Where the groups are listed.
const GROUPS: &str = "/admin/groups";

/// No site has more groups than a page can show; this many and a sentence are shown of one that has.
const AT_MOST: usize = 200;

#[derive(FromForm, Validate)]
struct GroupForm {
    #[field(default = String::new())]
    #[validate(custom(function = "rules::group_name"))]
    name: String,
    #[field(default = Vec::new())]
    #[validate(custom(function = "rules::permissions"))]
    permissions: Vec<String>,
}

impl Form for GroupForm {
    const FIELDS: &'static [&'static str] = &["name", "permissions"];
    const REPEATED: &'static [&'static str] = &["permissions"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        let ticked = self.permissions.iter().map(|name| ("permissions", name.as_str()));
        std::iter::once(("name", self.name.as_str())).chain(ticked).collect()
    }
}

impl GroupForm {
    /// The form as it stands for a group.
    fn of(group: &Group) -> Self {
        let permissions = group.permissions.iter();
        let permissions = permissions.map(|permission| permission.as_str().to_owned()).collect();
        Self { name: group.name.clone(), permissions }
    }

    /// The words of a form whose rules hold.
    fn words(&self) -> (GroupName, Permissions) {
        let name = GroupName::parse(&self.name).expect("the rules hold, and they are this parser");
        let ticked = self.permissions.iter();
        (name, ticked.filter_map(|name| Permission::from_stored(name)).collect())
    }
}

#[derive(Template)]
#[template(path = "admin/groups/index.html")]
struct GroupsPage {
    frame: Frame,
    groups: Vec<Shown>,
    has_more: bool,
    may_add: bool,
}

struct Shown {
    id: GroupId,
    name: String,
    grants: Vec<&'static str>,
    members: u64,
}

#[derive(Template)]
#[template(path = "admin/groups/edit.html")]
struct GroupPage {
    frame: Frame,
    form: FormView,
    boxes: Vec<TickBox>,
    /// `None` while it is being made.
    group: Option<(GroupId, u64)>,
    /// Whether the reader has everything that the group grants, and may change it.
    may_change: bool,
}

struct TickBox {
    name: &'static str,
    label: &'static str,
    /// An id may not hold dots where style sheets name it.
    id: String,
    /// Nobody gives what they do not have.
    is_barred: bool,
}

#[derive(Template)]
#[template(path = "admin/groups/delete.html")]
struct DeletePage {
    frame: Frame,
    group: Shown,
    may_change: bool,
}

#[get("/admin/groups")]
async fn index(reader: ViewsUsers, frame: Frame, ctx: &State<Ctx>) -> Result<Page, Error> {
    let mut groups = groups::list(&ctx.db, AT_MOST as u64 + 1).await?;
    let has_more = groups.len() > AT_MOST;
    groups.truncate(AT_MOST);
    let may_add = reader.0.person().may(Permission::UsersChange);
    let groups = groups.into_iter().map(show).collect();
    Page::draw(&GroupsPage { frame, groups, has_more, may_add })
}

/// What is typed into a form would be lost on the way to the password, so it is asked for before.
#[get("/admin/groups/new")]
fn new(reader: ChangesUsers, frame: Frame, ctx: &State<Ctx>) -> Result<Answer, Error> {
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    draw(frame, FormView::empty(""), None, &reader.0).map(Answer::Shown)
}

#[post("/admin/groups/new", data = "<sent>")]
async fn create(
    reader: ChangesUsers,
    sent: Submitted<GroupForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    let complaints = sent.complaints(sent.form.validate());
    if !complaints.is_empty() {
        return again(frame, &sent.form, &complaints.into(), None, &reader.0);
    }
    let (name, permissions) = sent.form.words();
    let acting = Acting { by: reader.0.person(), caller };
    match flows::admin::groups::open(ctx, acting, &name, permissions).await {
        Ok(_) => Ok(done(jar, ctx, Notice::GroupSaved)),
        Err(error) => refused(frame, &sent.form, error, None, &reader.0),
    }
}

#[get("/admin/groups/<id>")]
async fn edit(
    id: Option<i64>,
    reader: ViewsUsers,
    frame: Frame,
    ctx: &State<Ctx>,
) -> Result<Page, Error> {
    let group = groups::find(&ctx.db, number(id)).await?.ok_or(Status::NotFound)?;
    let form = FormView::again(&frame, &GroupForm::of(&group), &Complaints::default());
    draw(frame, form, Some(&group), &reader.0)
}

#[post("/admin/groups/<id>", data = "<sent>")]
async fn update(
    id: Option<i64>,
    reader: ChangesUsers,
    sent: Submitted<GroupForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    let group = groups::find(&ctx.db, number(id)).await?.ok_or(Status::NotFound)?;
    let complaints = sent.complaints(sent.form.validate());
    if !complaints.is_empty() {
        return again(frame, &sent.form, &complaints.into(), Some(&group), &reader.0);
    }
    let (name, permissions) = sent.form.words();
    let acting = Acting { by: reader.0.person(), caller };
    match flows::admin::groups::change(ctx, acting, group.id, &name, permissions).await {
        Ok(()) => Ok(done(jar, ctx, Notice::GroupSaved)),
        Err(error) => refused(frame, &sent.form, error, Some(&group), &reader.0),
    }
}

#[get("/admin/groups/<id>/delete")]
async fn confirm(
    id: Option<i64>,
    reader: ChangesUsers,
    frame: Frame,
    ctx: &State<Ctx>,
) -> Result<Answer, Error> {
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    let group = groups::find(&ctx.db, number(id)).await?.ok_or(Status::NotFound)?;
    ask_to_delete(frame, group, reader.0.person()).map(Answer::Shown)
}

#[post("/admin/groups/<id>/delete", data = "<_sent>")]
async fn destroy(
    id: Option<i64>,
    reader: ChangesUsers,
    _sent: Submitted<ButtonForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    let acting = Acting { by: reader.0.person(), caller };
    match flows::admin::groups::delete(ctx, acting, number(id)).await {
        Ok(()) => Ok(done(jar, ctx, Notice::GroupDeleted)),
        Err(TeamError::AboveOneself | TeamError::AboveMember) => Err(Status::Forbidden.into()),
        Err(TeamError::Unknown | TeamError::NameTaken) => Err(Status::NotFound.into()),
        Err(TeamError::Broken(error)) => Err(error.into()),
    }
}

/// What is no number is the number of no group.
fn number(id: Option<i64>) -> GroupId {
    GroupId(id.unwrap_or_default())
}

fn done(jar: &CookieJar<'_>, ctx: &Ctx, notice: Notice) -> Answer {
    notice.say(jar, ctx);
    Answer::Gone(Redirect::to(GROUPS))
}

fn refused(
    frame: Frame,
    form: &GroupForm,
    error: TeamError,
    group: Option<&Group>,
    reader: &SignedIn,
) -> Result<Answer, Error> {
    let refusal = match error {
        TeamError::Unknown => return Err(Status::NotFound.into()),
        TeamError::AboveOneself => Refusal::about("permissions", "permission.above_actor"),
        TeamError::AboveMember => Refusal::about("permissions", "permission.above_member"),
        TeamError::NameTaken => Refusal::about("name", "admin.groups.name_taken"),
        TeamError::Broken(error) => return Err(error.into()),
    };
    again(frame, form, &refusal, group, reader)
}

fn again(
    frame: Frame,
    form: &GroupForm,
    refusal: &Refusal,
    group: Option<&Group>,
    reader: &SignedIn,
) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, group, reader)?)))
}

fn draw(
    frame: Frame,
    form: FormView,
    group: Option<&Group>,
    reader: &SignedIn,
) -> Result<Page, Error> {
    let person = reader.person();
    let granted = group.map_or(Permissions::NONE, |group| group.permissions);
    let may_change =
        person.may(Permission::UsersChange) && flows::admin::groups::may_lead(person, granted);
    let boxes = Permission::ALL.into_iter().map(|permission| TickBox {
        name: permission.as_str(),
        label: label(permission),
        id: format!("permission-{}", permission.as_str().replace('.', "-")),
        is_barred: !may_change || !person.may(permission),
    });
    let boxes = boxes.collect();
    let group = group.map(|group| (group.id, group.members));
    Page::draw(&GroupPage { frame, form, boxes, group, may_change })
}

fn ask_to_delete(frame: Frame, group: Group, reader: &Person) -> Result<Page, Error> {
    let may_change = flows::admin::groups::may_lead(reader, group.permissions);
    Page::draw(&DeletePage { frame, group: show(group), may_change })
}

fn show(group: Group) -> Shown {
    let grants = group.permissions.iter().map(label).collect();
    Shown { id: group.id, name: group.name, grants, members: group.members }
}

/// The key of what a permission is called: a new one does not compile without.
pub(crate) fn label(permission: Permission) -> &'static str {
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

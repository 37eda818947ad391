//! Bringing people in by a list: looked at first, with what is wrong line by line, then done.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::actions::{actor, number};
use super::import_list;
use super::import_list::{List, Reading};
use crate::admin::AdminError;
use crate::context::Context;
use crate::flows;
use crate::http::guards::{AddsUsers, SignedIn};
use crate::types::{BulkJobId, Permission, RequestInfo};
use crate::web::account::Response;
use crate::web::admin::bulk::show::BULK;
use crate::web::error::Error;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Page, PageContext};
use crate::web::upload::Uploaded;

pub(crate) fn routes() -> Vec<Route> {
    routes![new, look, start]
}

/// Faults that are shown; whoever mends these sees the next.
const SHOWN: usize = 50;

/// The one thing that is sent to start: which list.
#[derive(FromForm)]
struct StartForm {
    #[field(default = String::new())]
    plan: String,
}

impl Form for StartForm {
    const FIELDS: &'static [&'static str] = &["file"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "admin/users/import.html")]
struct ImportPage {
    page: PageContext,
    form: FormView,
    may_verify: bool,
}

#[derive(Template)]
#[template(path = "admin/users/import_preview.html")]
struct LookPage {
    page: PageContext,
    /// How many accounts would be made, and what that is called.
    good: String,
    plan: Option<BulkJobId>,
    wrong: usize,
    faults: Vec<Shown>,
    has_more: bool,
    used: String,
    unused: String,
    invites: bool,
}

struct Shown {
    line: u64,
    column: &'static str,
    what: String,
}

#[get("/admin/users/import")]
fn new(staff: AddsUsers, page: PageContext) -> Result<Page, Error> {
    render(&staff.0, FormView::empty(""), page)
}

/// Looks at a file. What is good of it is kept for an hour, sealed.
#[post("/admin/users/import", format = "multipart/form-data", data = "<sent>")]
async fn look(
    sent: Uploaded,
    staff: AddsUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let reading = Reading {
        today: ctx.clock.now().date(),
        language: page.language(),
        may_verify: staff.0.user().may(Permission::UsersChange),
        may_be_local: ctx.settings.allow_local_email,
    };
    let mut list = match import_list::read(&sent.file, &reading) {
        Ok(list) => list,
        Err(key) => return rerender(key, &staff.0, page),
    };
    leave_out_the_costly(ctx, &mut list).await?;
    leave_out_the_taken(ctx, &mut list).await?;
    let count = list.people.len();
    let plan = if count == 0 {
        None
    } else {
        let people = std::mem::take(&mut list.people).into_iter().map(|(_, _, person)| person);
        let planned = flows::admin::user_import::draft(
            ctx,
            actor(&staff.0, info),
            people.collect(),
            sent.invite,
        )
        .await;
        match planned {
            Ok(id) => Some(id),
            Err(AdminError::Broken(error)) => return Err(error.into()),
            Err(_) => return Err(Status::Forbidden.into()),
        }
    };
    show(list, count, (plan, sent.invite), page)
}

/// Does what was looked at.
#[post("/admin/users/import", format = "application/x-www-form-urlencoded", data = "<sent>")]
async fn start(
    sent: Submitted<StartForm>,
    staff: AddsUsers,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let plan = number(&sent.form.plan).map(BulkJobId);
    if let Some(plan) = plan
        && flows::admin::user_import::enqueue(ctx, actor(&staff.0, info), plan).await?
    {
        return Ok(Response::Redirect(Redirect::to(format!("{BULK}/{plan}"))));
    }
    rerender("admin.import.draft_gone", &staff.0, page).map(Response::Page)
}

/// Leaves out those whose hashes would keep everybody else waiting at each of their log-ins.
async fn leave_out_the_costly(ctx: &Context, list: &mut List) -> Result<(), Error> {
    let people = list.people.iter().map(|(.., person)| person);
    let too_costly = flows::admin::user_import::find_costly_hashes(ctx, people).await?;
    list.leave_out(&too_costly, "password", "admin.import.hash_too_costly");
    Ok(())
}

/// Whoever has an account already is not made one.
async fn leave_out_the_taken(ctx: &Context, list: &mut List) -> Result<(), Error> {
    let emails: Vec<_> = list.people.iter().map(|(_, email, _)| email.clone()).collect();
    let taken = flows::admin::user_import::find_existing(ctx, &emails).await?;
    list.leave_out(&taken, "email", "email.taken");
    Ok(())
}

fn show(
    list: List,
    count: usize,
    (plan, invites): (Option<BulkJobId>, bool),
    page: PageContext,
) -> Result<Page, Error> {
    let has_more = list.faults.len() > SHOWN;
    let faults = list.faults.into_iter().take(SHOWN).map(|fault| Shown {
        line: fault.line,
        column: fault.column,
        what: page.t_with(fault.key, "sign", fault.sign),
    });
    let key = if count == 1 { "admin.users.one" } else { "admin.users.many" };
    Page::render(&LookPage {
        good: page.t_with(key, "count", count),
        plan,
        wrong: list.wrong,
        faults: faults.collect(),
        has_more,
        used: list.used.join(", "),
        unused: list.unused.join(", "),
        invites,
        page,
    })
}

fn rerender(key: &'static str, reader: &SignedIn, page: PageContext) -> Result<Page, Error> {
    let rejection = Rejection::on_field("file", key);
    let form = FormView::filled(&page, &StartForm { plan: String::new() }, &rejection.errors);
    Ok(rejection.apply_to(render(reader, form, page)?))
}

fn render(reader: &SignedIn, form: FormView, page: PageContext) -> Result<Page, Error> {
    let may_verify = reader.user().may(Permission::UsersChange);
    Page::render(&ImportPage { page, form, may_verify })
}

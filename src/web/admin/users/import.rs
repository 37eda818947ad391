//! Bringing people in by a list: looked at first, with what is wrong line by line, then done.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::actions::{acting, number};
use super::import_list;
use super::import_list::{List, Reading};
use crate::admin::ActError;
use crate::context::Ctx;
use crate::flows;
use crate::http::guards::{AddsUsers, SignedIn};
use crate::types::{BulkId, Caller, Permission};
use crate::web::account::Answer;
use crate::web::admin::bulk::show::BULK;
use crate::web::error::Error;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::page::{Frame, Page};
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

    fn kept(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "admin/users/import.html")]
struct ImportPage {
    frame: Frame,
    form: FormView,
    may_verify: bool,
}

#[derive(Template)]
#[template(path = "admin/users/import_preview.html")]
struct LookPage {
    frame: Frame,
    /// How many accounts would be made, and what that is called.
    good: String,
    plan: Option<BulkId>,
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
fn new(staff: AddsUsers, frame: Frame) -> Result<Page, Error> {
    draw(&staff.0, FormView::empty(""), frame)
}

/// Looks at a file. What is good of it is kept for an hour, sealed.
#[post("/admin/users/import", format = "multipart/form-data", data = "<sent>")]
async fn look(
    sent: Uploaded,
    staff: AddsUsers,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Page, Error> {
    let reading = Reading {
        today: ctx.clock.now().date(),
        language: frame.language(),
        may_verify: staff.0.person().may(Permission::UsersChange),
        may_be_local: ctx.settings.allow_local_email,
    };
    let mut list = match import_list::read(&sent.file, &reading) {
        Ok(list) => list,
        Err(key) => return again(key, &staff.0, frame),
    };
    leave_out_the_costly(ctx, &mut list).await?;
    leave_out_the_taken(ctx, &mut list).await?;
    let count = list.people.len();
    let plan = if count == 0 {
        None
    } else {
        let people = std::mem::take(&mut list.people).into_iter().map(|(_, _, person)| person);
        let planned = flows::admin::user_import::plan(
            ctx,
            acting(&staff.0, caller),
            people.collect(),
            sent.invite,
        )
        .await;
        match planned {
            Ok(id) => Some(id),
            Err(ActError::Broken(error)) => return Err(error.into()),
            Err(_) => return Err(Status::Forbidden.into()),
        }
    };
    show(list, count, (plan, sent.invite), frame)
}

/// Does what was looked at.
#[post("/admin/users/import", format = "application/x-www-form-urlencoded", data = "<sent>")]
async fn start(
    sent: Submitted<StartForm>,
    staff: AddsUsers,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Answer, Error> {
    let plan = number(&sent.form.plan).map(BulkId);
    if let Some(plan) = plan
        && flows::admin::user_import::start(ctx, acting(&staff.0, caller), plan).await?
    {
        return Ok(Answer::Gone(Redirect::to(format!("{BULK}/{plan}"))));
    }
    again("admin.import.draft_gone", &staff.0, frame).map(Answer::Shown)
}

/// Leaves out those whose hashes would keep everybody else waiting at each of their log-ins.
async fn leave_out_the_costly(ctx: &Ctx, list: &mut List) -> Result<(), Error> {
    let people = list.people.iter().map(|(.., person)| person);
    let too_costly = flows::admin::user_import::find_too_costly(ctx, people).await?;
    list.leave_out(&too_costly, "password", "admin.import.hash_too_costly");
    Ok(())
}

/// Whoever has an account already is not made one.
async fn leave_out_the_taken(ctx: &Ctx, list: &mut List) -> Result<(), Error> {
    let emails: Vec<_> = list.people.iter().map(|(_, email, _)| email.clone()).collect();
    let taken = flows::admin::user_import::find_taken(ctx, &emails).await?;
    list.leave_out(&taken, "email", "email.taken");
    Ok(())
}

fn show(
    list: List,
    count: usize,
    (plan, invites): (Option<BulkId>, bool),
    frame: Frame,
) -> Result<Page, Error> {
    let has_more = list.faults.len() > SHOWN;
    let faults = list.faults.into_iter().take(SHOWN).map(|fault| Shown {
        line: fault.line,
        column: fault.column,
        what: frame.tell(fault.key, "sign", fault.sign),
    });
    let key = if count == 1 { "admin.users.one" } else { "admin.users.many" };
    Page::draw(&LookPage {
        good: frame.tell(key, "count", count),
        plan,
        wrong: list.wrong,
        faults: faults.collect(),
        has_more,
        used: list.used.join(", "),
        unused: list.unused.join(", "),
        invites,
        frame,
    })
}

fn again(key: &'static str, reader: &SignedIn, frame: Frame) -> Result<Page, Error> {
    let refusal = Refusal::about("file", key);
    let form = FormView::again(&frame, &StartForm { plan: String::new() }, &refusal.complaints);
    Ok(refusal.mark(draw(reader, form, frame)?))
}

fn draw(reader: &SignedIn, form: FormView, frame: Frame) -> Result<Page, Error> {
    let may_verify = reader.person().may(Permission::UsersChange);
    Page::draw(&ImportPage { frame, form, may_verify })
}

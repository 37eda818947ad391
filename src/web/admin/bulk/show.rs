//! What is being done to many people, how far it has come, and taking it back.

use askama::Template;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use crate::accounts;
use crate::admin::bulk_job;
use crate::admin::bulk_job::{Bulk, Kind, State as Stands};
use crate::context::Ctx;
use crate::flows;
use crate::flows::admin::bulk_jobs::UndoError;
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::types::{BulkId, Caller};
use crate::web::admin::users::actions::{acting, number};
use crate::web::error::Error;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, show, undo, stop]
}

/// Where they are listed and followed.
pub(crate) const BULK: &str = "/admin/bulk";

/// How many are listed; older ones are in the trail.
const LISTED: u64 = 50;

#[derive(Template)]
#[template(path = "admin/bulk/index.html")]
struct ListPage {
    page: PageContext,
    all: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "admin/bulk/show.html")]
struct ProgressPage {
    page: PageContext,
    bulk: Shown,
    /// Until when it can be taken back, by this reader.
    undo: Option<Timestamp>,
    undone_by: Option<BulkId>,
    may_stop: bool,
}

/// One of them, in words.
struct Shown {
    id: BulkId,
    title: &'static str,
    state: &'static str,
    is_running: bool,
    total: Option<u64>,
    done: u64,
    left_out: u64,
    by: String,
    since: Timestamp,
    finished: Option<Timestamp>,
}

/// The latest of them.
#[get("/admin/bulk")]
async fn index(_staff: ViewsUsers, page: PageContext, ctx: &State<Ctx>) -> Result<Page, Error> {
    let all = bulk_job::list_latest(&ctx.db, LISTED).await?;
    let all = shown(ctx, &page, &all).await?;
    Page::render(&ListPage { page, all })
}

#[get("/admin/bulk/<id>")]
async fn show(
    id: &str,
    staff: ViewsUsers,
    page: PageContext,
    ctx: &State<Ctx>,
) -> Result<Page, Error> {
    let bulk = find(id, ctx).await?;
    let may_undo = bulk.kind.and_then(Kind::undone_with).is_some_and(|it| staff.0.person().may(it));
    let until = bulk.undoable_until(ctx.clock.now()).filter(|_| may_undo);
    let mut all = shown(ctx, &page, std::slice::from_ref(&bulk)).await?;
    let page = ProgressPage {
        undo: until.map(|at| Timestamp::new(&page, at)),
        undone_by: bulk.undone_by,
        may_stop: may_stop(&bulk, &staff.0),
        bulk: all.pop().ok_or(Status::NotFound)?,
        page,
    };
    Page::render(&page)
}

#[post("/admin/bulk/<id>/undo", data = "<_sent>")]
async fn undo(
    id: &str,
    _sent: Submitted<ButtonForm>,
    staff: ViewsUsers,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Redirect, Error> {
    let id = BulkId(number(id).ok_or(Status::NotFound)?);
    match flows::admin::bulk_jobs::undo(ctx, acting(&staff.0, caller), id).await {
        Ok(undo) => Ok(Redirect::to(format!("{BULK}/{undo}"))),
        // The page says that it is too late, or by what it was undone.
        Err(UndoError::TooLate) => Ok(Redirect::to(format!("{BULK}/{id}"))),
        Err(error) => Err(reject(error)),
    }
}

#[post("/admin/bulk/<id>/stop", data = "<_sent>")]
async fn stop(
    id: &str,
    _sent: Submitted<ButtonForm>,
    staff: ViewsUsers,
    caller: &Caller,
    ctx: &State<Ctx>,
) -> Result<Redirect, Error> {
    let id = BulkId(number(id).ok_or(Status::NotFound)?);
    match flows::admin::bulk_jobs::stop(ctx, acting(&staff.0, caller), id).await {
        Ok(()) | Err(UndoError::TooLate) => Ok(Redirect::to(format!("{BULK}/{id}"))),
        Err(error) => Err(reject(error)),
    }
}

fn reject(error: UndoError) -> Error {
    match error {
        UndoError::Unknown | UndoError::TooLate => Status::NotFound.into(),
        UndoError::Forbidden => Status::Forbidden.into(),
        UndoError::Broken(error) => error.into(),
    }
}

async fn find(id: &str, ctx: &Ctx) -> Result<Bulk, Error> {
    let id = number(id).ok_or(Status::NotFound)?;
    bulk_job::find(&ctx.db, BulkId(id)).await?.ok_or_else(|| Status::NotFound.into())
}

fn may_stop(bulk: &Bulk, reader: &SignedIn) -> bool {
    let person = reader.person();
    bulk.state == Stands::Running && (person.is_superuser || person.id == bulk.actor)
}

async fn shown(ctx: &Ctx, page: &PageContext, all: &[Bulk]) -> Result<Vec<Shown>, Error> {
    let actors: Vec<_> = all.iter().map(|bulk| bulk.actor).collect();
    let emails = accounts::emails_of(&ctx.db, &actors).await?;
    let shown = all.iter().map(|bulk| Shown {
        id: bulk.id,
        title: title(bulk.kind),
        state: match bulk.state {
            Stands::Planned => "admin.bulk.planned",
            Stands::Running => "admin.bulk.running",
            Stands::Done => "admin.bulk.done",
            Stands::Stopped => "admin.bulk.stopped",
        },
        is_running: bulk.state == Stands::Running,
        total: bulk.total,
        done: bulk.done,
        left_out: bulk.left_out,
        by: emails.get(&bulk.actor).cloned().unwrap_or_else(|| format!("#{}", bulk.actor)),
        since: Timestamp::new(page, bulk.created_at),
        finished: bulk.finished_at.map(|at| Timestamp::new(page, at)),
    });
    Ok(shown.collect())
}

/// The key of what is done.
fn title(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Activate) => "admin.bulk.activate.title",
        Some(Kind::Deactivate) => "admin.bulk.deactivate.title",
        Some(Kind::Verify) => "admin.bulk.verify.title",
        Some(Kind::EndSessions) => "admin.bulk.end_sessions.title",
        Some(Kind::Delete) => "admin.bulk.delete.title",
        Some(Kind::Import) => "admin.import.title",
        Some(Kind::Undo) => "admin.bulk.undo.title",
        None => "admin.bulk.other.title",
    }
}

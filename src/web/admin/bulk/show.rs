//! What is being done to many people, how far it has come, and taking it back.

use askama::Template;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use crate::accounts;
use crate::admin::bulk_job;
use crate::admin::bulk_job::{BulkJob, BulkJobKind, BulkJobState};
use crate::context::Context;
use crate::flows;
use crate::flows::admin::bulk_jobs::BulkJobError;
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::types::{BulkJobId, RequestInfo};
use crate::web::admin::users::actions::{actor, number};
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
    job: Shown,
    /// Until when it can be taken back, by this reader.
    undo: Option<Timestamp>,
    undone_by: Option<BulkJobId>,
    may_stop: bool,
}

/// One of them, in words.
struct Shown {
    id: BulkJobId,
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
async fn index(_staff: ViewsUsers, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    let all = bulk_job::list_latest(&ctx.db, LISTED).await?;
    let all = shown(ctx, &page, &all).await?;
    Page::render(&ListPage { page, all })
}

#[get("/admin/bulk/<id>")]
async fn show(
    id: &str,
    staff: ViewsUsers,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let job = find(id, ctx).await?;
    let may_undo =
        job.kind.and_then(BulkJobKind::undo_permission).is_some_and(|it| staff.0.user().may(it));
    let until = job.undoable_until(ctx.clock.now()).filter(|_| may_undo);
    let mut all = shown(ctx, &page, std::slice::from_ref(&job)).await?;
    let page = ProgressPage {
        undo: until.map(|at| Timestamp::new(&page, at)),
        undone_by: job.undone_by,
        may_stop: may_stop(&job, &staff.0),
        job: all.pop().ok_or(Status::NotFound)?,
        page,
    };
    Page::render(&page)
}

#[post("/admin/bulk/<id>/undo", data = "<_sent>")]
async fn undo(
    id: &str,
    _sent: Submitted<ButtonForm>,
    staff: ViewsUsers,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Redirect, Error> {
    let id = BulkJobId(number(id).ok_or(Status::NotFound)?);
    match flows::admin::bulk_jobs::undo(ctx, actor(&staff.0, info), id).await {
        Ok(undo) => Ok(Redirect::to(format!("{BULK}/{undo}"))),
        // The page says that it is too late, or by what it was undone.
        Err(BulkJobError::TooLate) => Ok(Redirect::to(format!("{BULK}/{id}"))),
        Err(error) => Err(reject(error)),
    }
}

#[post("/admin/bulk/<id>/stop", data = "<_sent>")]
async fn stop(
    id: &str,
    _sent: Submitted<ButtonForm>,
    staff: ViewsUsers,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Redirect, Error> {
    let id = BulkJobId(number(id).ok_or(Status::NotFound)?);
    match flows::admin::bulk_jobs::stop(ctx, actor(&staff.0, info), id).await {
        Ok(()) | Err(BulkJobError::TooLate) => Ok(Redirect::to(format!("{BULK}/{id}"))),
        Err(error) => Err(reject(error)),
    }
}

fn reject(error: BulkJobError) -> Error {
    match error {
        BulkJobError::NotFound | BulkJobError::TooLate => Status::NotFound.into(),
        BulkJobError::Forbidden => Status::Forbidden.into(),
        BulkJobError::Broken(error) => error.into(),
    }
}

async fn find(id: &str, ctx: &Context) -> Result<BulkJob, Error> {
    let id = number(id).ok_or(Status::NotFound)?;
    bulk_job::find(&ctx.db, BulkJobId(id)).await?.ok_or_else(|| Status::NotFound.into())
}

fn may_stop(job: &BulkJob, reader: &SignedIn) -> bool {
    let user = reader.user();
    job.state == BulkJobState::Running && (user.is_superuser || user.id == job.actor)
}

async fn shown(ctx: &Context, page: &PageContext, all: &[BulkJob]) -> Result<Vec<Shown>, Error> {
    let actors: Vec<_> = all.iter().map(|job| job.actor).collect();
    let emails = accounts::list_emails(&ctx.db, &actors).await?;
    let shown = all.iter().map(|job| Shown {
        id: job.id,
        title: title(job.kind),
        state: match job.state {
            BulkJobState::Draft => "admin.bulk.planned",
            BulkJobState::Running => "admin.bulk.running",
            BulkJobState::Done => "admin.bulk.done",
            BulkJobState::Stopped => "admin.bulk.stopped",
        },
        is_running: job.state == BulkJobState::Running,
        total: job.total,
        done: job.done,
        left_out: job.skipped,
        by: emails.get(&job.actor).cloned().unwrap_or_else(|| format!("#{}", job.actor)),
        since: Timestamp::new(page, job.created_at),
        finished: job.finished_at.map(|at| Timestamp::new(page, at)),
    });
    Ok(shown.collect())
}

/// The key of what is done.
fn title(kind: Option<BulkJobKind>) -> &'static str {
    match kind {
        Some(BulkJobKind::Activate) => "admin.bulk.activate.title",
        Some(BulkJobKind::Deactivate) => "admin.bulk.deactivate.title",
        Some(BulkJobKind::Verify) => "admin.bulk.verify.title",
        Some(BulkJobKind::EndSessions) => "admin.bulk.end_sessions.title",
        Some(BulkJobKind::Delete) => "admin.bulk.delete.title",
        Some(BulkJobKind::Import) => "admin.import.title",
        Some(BulkJobKind::Undo) => "admin.bulk.undo.title",
        None => "admin.bulk.other.title",
    }
}

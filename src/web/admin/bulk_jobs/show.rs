//! The list of bulk jobs, and one job: its progress, stopping and undoing it.

use askama::Template;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use crate::accounts;
use crate::admin::bulk_job::{BulkJob, BulkJobKind, BulkJobState};
use crate::admin::bulk_queue;
use crate::context::Context;
use crate::flows;
use crate::flows::admin::bulk_jobs::BulkJobError;
use crate::http::guards::{SignedIn, ViewsUsers};
use crate::paths;
use crate::types::{BulkJobId, RequestInfo, number};
use crate::web::admin::users::target::actor;
use crate::web::error::Error;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::labels::with_commas;
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, show, undo, stop]
}

/// Jobs in the list; older ones are in the audit log only.
const MAX_LISTED: u64 = 50;

#[derive(Template)]
#[template(path = "admin/bulk_jobs/index.html")]
struct BulkJobsPage {
    page: PageContext,
    jobs: Vec<BulkJobRow>,
}

#[derive(Template)]
#[template(path = "admin/bulk_jobs/show.html")]
struct BulkJobPage {
    page: PageContext,
    job: BulkJobRow,
    /// Until when this reader can undo it.
    undo: Option<Timestamp>,
    undone_by: Option<BulkJobId>,
    may_stop: bool,
}

/// A job in the reader's language.
struct BulkJobRow {
    id: BulkJobId,
    title: &'static str,
    state: &'static str,
    is_running: bool,
    total: Option<u64>,
    done: u64,
    skipped: u64,
    by: String,
    since: Timestamp,
    finished: Option<Timestamp>,
}

impl BulkJobRow {
    fn processed(&self) -> String {
        with_commas(self.done)
    }

    fn left_unchanged(&self) -> String {
        with_commas(self.skipped)
    }

    fn total_label(&self) -> Option<String> {
        self.total.map(with_commas)
    }
}

#[get("/admin/bulk")]
async fn index(_staff: ViewsUsers, page: PageContext, ctx: &State<Context>) -> Result<Page, Error> {
    let jobs = bulk_queue::list_latest(&ctx.db, MAX_LISTED).await?;
    let jobs = job_rows(ctx, &page, &jobs).await?;
    Page::render(&BulkJobsPage { page, jobs })
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
    let mut jobs = job_rows(ctx, &page, std::slice::from_ref(&job)).await?;
    let page = BulkJobPage {
        undo: until.map(|at| Timestamp::new(&page, at)),
        undone_by: job.undone_by,
        may_stop: may_stop(&job, &staff.0),
        job: jobs.pop().ok_or(Status::NotFound)?,
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
    redirect_to_job(id, flows::admin::bulk_jobs::undo(ctx, actor(&staff.0, info), id).await)
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
    let stopped = flows::admin::bulk_jobs::stop(ctx, actor(&staff.0, info), id).await;
    redirect_to_job(id, stopped.map(|()| id))
}

/// Redirects to the job that a form led to.
fn redirect_to_job(
    own: BulkJobId,
    done: Result<BulkJobId, BulkJobError>,
) -> Result<Redirect, Error> {
    match done {
        Ok(id) => Ok(Redirect::to(paths::admin_bulk_job(id))),
        // The page of the job says that it is too late, or which job undid it.
        Err(BulkJobError::TooLate) => Ok(Redirect::to(paths::admin_bulk_job(own))),
        Err(BulkJobError::NotFound) => Err(Status::NotFound.into()),
        Err(BulkJobError::Forbidden) => Err(Status::Forbidden.into()),
        Err(BulkJobError::Database(error)) => Err(error.into()),
    }
}

async fn find(id: &str, ctx: &Context) -> Result<BulkJob, Error> {
    let id = number(id).ok_or(Status::NotFound)?;
    bulk_queue::find(&ctx.db, BulkJobId(id)).await?.ok_or_else(|| Status::NotFound.into())
}

fn may_stop(job: &BulkJob, reader: &SignedIn) -> bool {
    let user = reader.user();
    job.state == BulkJobState::Running && (user.is_superuser || user.id == job.actor)
}

async fn job_rows(
    ctx: &Context,
    page: &PageContext,
    jobs: &[BulkJob],
) -> Result<Vec<BulkJobRow>, Error> {
    let actors: Vec<_> = jobs.iter().map(|job| job.actor).collect();
    let emails = accounts::list_emails(&ctx.db, &actors).await?;
    let rows = jobs.iter().map(|job| BulkJobRow {
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
        skipped: job.skipped,
        by: emails.get(&job.actor).cloned().unwrap_or_else(|| format!("#{}", job.actor)),
        since: Timestamp::new(page, job.created_at),
        finished: job.finished_at.map(|at| Timestamp::new(page, at)),
    });
    Ok(rows.collect())
}

/// Returns the key of the title.
fn title(kind: Option<BulkJobKind>) -> &'static str {
    match kind {
        Some(BulkJobKind::Action(action)) => {
            let [title, _] = action.spec().bulk_labels;
            title
        }
        Some(BulkJobKind::Import) => "admin.import.title",
        Some(BulkJobKind::Undo) => "admin.bulk.undo.title",
        None => "admin.bulk.other.title",
    }
}

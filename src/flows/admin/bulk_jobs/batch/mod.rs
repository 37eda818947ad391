//! The batches of bulk jobs.
//!
//! A batch is one transaction: the accounts, their audit events and the progress of the job. After
//! a restart a job goes on where it was, and two nodes take turns. The permissions of its actor are
//! checked again for each account.
//!
//! Each account has a savepoint of its own: an account that the database refuses is logged and
//! skipped, and the rest of the batch is done.

mod action;
mod import;
mod result;
mod undo;

use thiserror::Error;

use self::action::run_action_batch;
use self::import::run_import_batch;
use self::undo::run_undo_batch;
use crate::accounts;
use crate::admin;
use crate::admin::bulk_job::{
    BatchProgress, BulkJob, BulkJobKind, BulkJobSpec, BulkJobState, Claim,
};
use crate::admin::bulk_queue;
use crate::admin::{Actor, AdminError};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::types::{BulkJobId, Permission};

/// Runs the first batch. The worker goes on after a failure.
pub(super) async fn run_first_batch(ctx: &Context, actor: Actor<'_>, id: BulkJobId) {
    tracing::info!(
        bulk_job.id = id.0,
        staff.id = actor.user.id.0,
        request.id = actor.info.request_id,
        "bulk job enqueued"
    );
    if let Err(BatchFailed { error, .. }) = claim_and_run(ctx, Claim::Id(id)).await {
        tracing::warn!(%error, bulk_job.id = id.0, "the first batch of a bulk job failed; the worker tries it again");
    }
}

/// A batch that failed and changed nothing.
#[derive(Debug, Error)]
#[error("a batch failed: {error}")]
pub struct BatchFailed {
    /// The job; `None` when the database failed before one was claimed.
    pub of: Option<BulkJobId>,
    /// The failure.
    pub error: DbError,
}

impl From<DbError> for BatchFailed {
    fn from(error: DbError) -> Self {
        Self { of: None, error }
    }
}

/// Runs one batch of the oldest running job, except those in `others`. Returns whether there was
/// one. The caller passes the jobs that failed as `others`, so that they do not block the rest.
///
/// # Errors
/// [`BatchFailed`] when the database cannot; then the batch changed nothing.
pub async fn run_next_batch(ctx: &Context, others: &[BulkJobId]) -> Result<bool, BatchFailed> {
    // Looking costs no lock; most of the time there is no job.
    if !bulk_queue::is_any_running(&ctx.db).await? {
        return Ok(false);
    }
    claim_and_run(ctx, Claim::NextExcept(others)).await
}

async fn claim_and_run(ctx: &Context, claim: Claim<'_>) -> Result<bool, BatchFailed> {
    let transaction = ctx.db.begin().await?;
    let locked = bulk_queue::claim_next(&transaction, &ctx.keys, claim).await?;
    let Some((job, spec)) = locked else { return Ok(false) };
    let of = Some(job.id);
    let done = run_batch(ctx, transaction, job, spec).await;
    done.map(|()| true).map_err(|error| BatchFailed { of, error })
}

async fn run_batch(
    ctx: &Context,
    transaction: Transaction,
    job: BulkJob,
    spec: Option<BulkJobSpec>,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    // Serializes with everything that takes rights away from a superuser or locks several accounts.
    accounts::lock_superusers(&transaction).await?;
    let staff = match admin::reload_actor(&transaction, job.actor).await {
        Ok(staff) => Some(staff),
        Err(AdminError::Database(error)) => return Err(error),
        Err(_) => None,
    };
    let is_import = job.kind == Some(BulkJobKind::Import);
    let staff = staff.filter(|staff| !is_import || staff.may(Permission::UsersAdd));
    let (Some(staff), Some(spec)) = (staff, spec) else {
        let (cursor, state) = (job.cursor, BulkJobState::Stopped);
        let progress = BatchProgress { cursor, done: 0, skipped: 0, state };
        bulk_queue::update_progress(&transaction, job.id, progress, now).await?;
        transaction.commit().await?;
        tracing::warn!(
            bulk_job.id = job.id.0,
            "a bulk job was stopped: its actor lost the permission"
        );
        return Ok(());
    };
    let actor = Actor { user: &staff, info: &job.info };
    let batch = match spec {
        BulkJobSpec::Action { request, targets } => {
            run_action_batch(ctx, &transaction, actor, &job, &request, &targets).await?
        }
        BulkJobSpec::Import { users, invite } => {
            run_import_batch(ctx, &transaction, actor, &job, &users, invite).await?
        }
        BulkJobSpec::Undo { job: of } => run_undo_batch(ctx, &transaction, actor, &job, of).await?,
    };
    bulk_queue::update_progress(&transaction, job.id, batch.progress, now).await?;
    transaction.commit().await?;
    for (target, action) in batch.changed {
        admin::log_change(actor, target, action);
    }
    Ok(())
}

//! The batches of bulk jobs.
//!
//! A batch is one transaction: the accounts, their audit events and the progress of the job. After a
//! restart a job goes on where it was, and two nodes take turns. The permissions of its actor are
//! checked again for each account.
//!
//! Each account has a savepoint of its own: an account that the database refuses is logged and
//! skipped, and the rest of the batch is done.

use serde_json::json;
use thiserror::Error;
use time::OffsetDateTime;

use crate::accounts;
use crate::accounts::AccountSnapshot;
use crate::accounts::search;
use crate::admin;
use crate::admin::bulk_job::{
    BatchProgress, BulkJob, BulkJobKind, BulkJobSpec, BulkJobState, BulkTargets, Claim,
};
use crate::admin::bulk_queue;
use crate::admin::{ActionRequest, Actor, AdminError, ImportedUser, PerformedAction};
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::types::{BulkJobId, Permission, UserId};

/// Accounts in a batch: about ten milliseconds of SQLite's one writer.
const BATCH_SIZE: u64 = 50;

/// List entries in a batch. The whole list is unsealed for each batch, so they are more.
const IMPORT_BATCH_SIZE: usize = 200;

/// How often a batch goes on when no account matches, ten thousand accounts at a time.
const MAX_ROUNDS: usize = 20;

/// Runs the first batch at once, so that a small job is done when its page is shown. The worker
/// goes on after a failure.
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
        Err(AdminError::Broken(error)) => return Err(error),
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

/// The result of a batch.
struct Batch {
    progress: BatchProgress,
    changed: Vec<(UserId, AuditEventKind)>,
}

impl Batch {
    fn from(cursor: i64) -> Self {
        let progress = BatchProgress { cursor, done: 0, skipped: 0, state: BulkJobState::Running };
        Self { progress, changed: Vec::new() }
    }

    fn add_change(&mut self, target: UserId, action: AuditEventKind) {
        self.progress.done += 1;
        self.changed.push((target, action));
    }

    /// Logs and skips a row that the database refuses; any other failure ends the batch. The
    /// details of a database error can hold the values of the row, so they are not logged.
    fn skip_row(&mut self, job: &BulkJob, row: i64, error: DbError) -> Result<(), DbError> {
        if !error.is_about_data() {
            return Err(error);
        }
        tracing::error!(%error, bulk_job.id = job.id.0, row, "a row of a bulk job was skipped");
        self.progress.skipped += 1;
        Ok(())
    }

    fn advance_to(&mut self, cursor: i64, is_over: bool) {
        self.progress.cursor = cursor;
        self.progress.state = if is_over { BulkJobState::Done } else { BulkJobState::Running };
    }
}

async fn run_action_batch(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    job: &BulkJob,
    request: &ActionRequest,
    targets: &BulkTargets,
) -> Result<Batch, DbError> {
    let (mut batch, now) = (Batch::from(job.cursor), ctx.clock.now());
    let (ids, cursor, is_over) = next_targets(ctx, targets, UserId(job.cursor)).await?;
    for id in ids {
        let part = transaction.begin_nested().await?;
        match run_action(&part, actor, job, id, request, now).await {
            Ok(Some(done)) => {
                part.commit().await?;
                batch.add_change(id, done.kind);
            }
            Ok(None) => {
                part.commit().await?;
                batch.progress.skipped += 1;
            }
            Err(AdminError::Broken(error)) => {
                part.roll_back().await?;
                batch.skip_row(job, id.0, error)?;
            }
            Err(_) => {
                part.roll_back().await?;
                batch.progress.skipped += 1;
            }
        }
    }
    batch.advance_to(cursor.0, is_over);
    Ok(batch)
}

async fn run_action(
    part: &Transaction,
    actor: Actor<'_>,
    job: &BulkJob,
    id: UserId,
    request: &ActionRequest,
    now: OffsetDateTime,
) -> Result<Option<PerformedAction>, AdminError> {
    let facts = json!({ "bulk": job.id });
    let done = admin::perform(part, actor, id, request, facts, now).await?;
    if let Some(done) = &done
        && job.kind.is_some_and(|kind| kind.undo_permission().is_some())
    {
        bulk_queue::save_snapshot(part, job.id, &done.before).await?;
    }
    Ok(done)
}

/// Returns the next accounts, the last account that had its turn, and whether that was the end.
async fn next_targets(
    ctx: &Context,
    targets: &BulkTargets,
    mut cursor: UserId,
) -> Result<(Vec<UserId>, UserId, bool), DbError> {
    match targets {
        BulkTargets::Ids(all) => {
            let rest = all.iter().copied().filter(|id| *id > cursor);
            let ids: Vec<UserId> = rest.take(usize::try_from(BATCH_SIZE).unwrap_or(1)).collect();
            let cursor = ids.last().copied().unwrap_or(cursor);
            Ok((ids, cursor, all.last().is_none_or(|last| *last <= cursor)))
        }
        BulkTargets::Matching { filter, last } => {
            let mut ids = Vec::new();
            for _ in 0..MAX_ROUNDS {
                (ids, cursor) =
                    search::list_ids(&ctx.db, filter, cursor, *last, BATCH_SIZE).await?;
                if !ids.is_empty() || cursor >= *last {
                    break;
                }
            }
            Ok((ids, cursor, cursor >= *last))
        }
    }
}

async fn run_import_batch(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    job: &BulkJob,
    users: &[ImportedUser],
    is_invited: bool,
) -> Result<Batch, DbError> {
    let (mut batch, now) = (Batch::from(job.cursor), ctx.clock.now());
    let begin = usize::try_from(job.cursor).unwrap_or(usize::MAX).min(users.len());
    let end = users.len().min(begin + IMPORT_BATCH_SIZE);
    for (index, user) in users[begin..end].iter().enumerate() {
        match admin::create_imported(ctx, transaction, actor, job.id, user, is_invited, now).await {
            Ok(Some(id)) => batch.add_change(id, AuditEventKind::CreatedByStaff),
            Ok(None) => batch.progress.skipped += 1,
            Err(error) => {
                let row = i64::try_from(begin + index + 1).unwrap_or(i64::MAX);
                batch.skip_row(job, row, error)?;
            }
        }
    }
    batch.advance_to(i64::try_from(end).unwrap_or(i64::MAX), end == users.len());
    Ok(batch)
}

async fn run_undo_batch(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    job: &BulkJob,
    of: BulkJobId,
) -> Result<Batch, DbError> {
    let mut batch = Batch::from(job.cursor);
    let snapshots = bulk_queue::list_snapshots(transaction, of, job.cursor, BATCH_SIZE).await?;
    let cursor = snapshots.last().map_or(job.cursor, |(id, _)| id.0);
    let is_over = (snapshots.len() as u64) < BATCH_SIZE;
    for (id, before) in snapshots {
        let facts = json!({
            "changes": { "is_active": [false, before.is_active] },
            "bulk": job.id,
            "undone": of,
        });
        let part = transaction.begin_nested().await?;
        match restore(ctx, &part, actor, id, &before, facts).await {
            Ok(true) => {
                part.commit().await?;
                batch.add_change(id, AuditEventKind::UndoneByStaff);
            }
            Err(AdminError::Broken(error)) => {
                part.roll_back().await?;
                batch.skip_row(job, id.0, error)?;
            }
            Ok(false) | Err(_) => {
                part.roll_back().await?;
                batch.progress.skipped += 1;
            }
        }
    }
    batch.advance_to(cursor, is_over);
    Ok(batch)
}

async fn restore(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    id: UserId,
    before: &AccountSnapshot,
    facts: serde_json::Value,
) -> Result<bool, AdminError> {
    let now = ctx.clock.now();
    admin::lock_target(transaction, actor, id).await?;
    if !accounts::restore(transaction, id, before, now).await? {
        return Ok(false);
    }
    admin::record_event(transaction, actor, id, AuditEventKind::UndoneByStaff, facts, now).await?;
    Ok(true)
}

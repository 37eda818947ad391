//! Staff do one action to many accounts: it is looked at first, then ordered, done batch by batch, and
//! can be taken back for a day.
//!
//! Each batch is one transaction: the accounts, their events, and how far it has come. A server that
//! stops goes on where it was; two nodes take turns. The rights of whoever ordered it are asked again
//! for each account.
//!
//! Each account has a part of the transaction of its own: one that the database refuses is reported and
//! passed over, and the rest of its batch is done.

use serde_json::json;
use thiserror::Error;
use time::OffsetDateTime;

use crate::accounts;
use crate::accounts::AccountSnapshot;
use crate::accounts::search;
use crate::accounts::search::{CursorPosition, MatchCount, SearchBounds, SortOrder, UserFilter};
use crate::admin;
use crate::admin::bulk_job;
use crate::admin::bulk_job::{
    BatchProgress, BulkJob, BulkJobKind, BulkJobSpec, BulkJobState, BulkTargets, Claim,
};
use crate::admin::{Actor, AdminAction, AdminError, ImportedUser, PerformedAction};
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::types::{BulkJobId, Permission, SessionId, UserId};

/// Accounts of a batch: some ten milliseconds of SQLite's one writer.
const BATCH: u64 = 50;

/// People of a list in a batch. The whole list is unsealed for each, so they are more.
const IMPORTED: usize = 200;

/// How often a batch looks on where nobody matches, ten thousand accounts at a time.
const LOOKS: usize = 20;

/// Addresses that are shown before something is done to them.
const SHOWN: u64 = 10;

/// To target something is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// To these.
    Ids(Vec<UserId>),
    /// To everybody who is like this.
    Matching(UserFilter),
}

/// What would come of it.
#[derive(Debug, Clone)]
pub struct Preview {
    /// How many accounts it would be done to, as far as they were counted.
    pub count: MatchCount,
    /// The addresses of some of them.
    pub some: Vec<String>,
    /// How many of those who were chosen one by one would be left as they are.
    pub skipped: u64,
}

/// Looks at what would come of a action; changes nothing.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn preview(
    ctx: &Context,
    actor: Actor<'_>,
    action: &AdminAction,
    selection: &Selection,
) -> Result<Preview, DbError> {
    match selection {
        Selection::Ids(ids) => {
            let now = ctx.clock.now();
            let mut accounts = Vec::new();
            for account in accounts::list_by_ids(&ctx.db, ids).await? {
                let person = &account.user;
                let is_oneself = person.id == actor.user.id && action.is_dangerous();
                let is_above = person.is_superuser && !actor.user.is_superuser;
                if is_oneself || is_above || action.is_moot(&account, now) {
                    continue;
                }
                if !action.is_dangerous() || !admin::outranks(&ctx.db, person, actor.user).await? {
                    accounts.push(account);
                }
            }
            let count = accounts.len() as u64;
            let some = accounts.iter().map(|account| account.user.email.as_typed().to_owned());
            Ok(Preview {
                count: MatchCount::Exactly(count),
                some: some.take(usize::try_from(SHOWN).unwrap_or_default()).collect(),
                skipped: (ids.len() as u64).saturating_sub(count),
            })
        }
        Selection::Matching(filter) => {
            let (sort, bounds) = (SortOrder::default(), SearchBounds::default());
            let found =
                search::list_page(&ctx.db, filter, sort, &CursorPosition::Start, bounds, SHOWN)
                    .await?;
            let some = found.users.into_iter().map(|row| row.email).collect();
            Ok(Preview { count: found.count, some, skipped: 0 })
        }
    }
}

/// BulkJobSpec a action, and does the first batch of it.
///
/// # Errors
/// [`AdminError`] says why not.
pub async fn enqueue(
    ctx: &Context,
    actor: Actor<'_>,
    action: AdminAction,
    selection: Selection,
) -> Result<BulkJobId, AdminError> {
    let needed = action.permission();
    let (targets, total) = match selection {
        Selection::Ids(mut ids) => {
            ids.sort_unstable();
            ids.dedup();
            let total = ids.len() as u64;
            (BulkTargets::Ids(ids), Some(total))
        }
        Selection::Matching(filter) => {
            let (count, _) = search::count(&ctx.db, &filter, SearchBounds::default()).await?;
            let total = if let MatchCount::Exactly(total) = count { Some(total) } else { None };
            (BulkTargets::Matching { filter, last: accounts::find_last(&ctx.db).await? }, total)
        }
    };
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if !admin::reload_actor(&transaction, actor.user.id).await?.may(needed) {
        return Err(AdminError::Forbidden);
    }
    let spec = BulkJobSpec::Action { action, targets };
    let id = bulk_job::enqueue(&transaction, &ctx.keys, actor, (&spec, total), now).await?;
    transaction.commit().await?;
    run_first_batch(ctx, actor, id).await;
    Ok(id)
}

/// Why something that was done to many was not taken back or stopped.
#[derive(Debug, Error)]
pub enum BulkJobError {
    /// There is no such thing.
    #[error("no such bulk job")]
    NotFound,
    /// Whoever asks may not.
    #[error("whoever asks may not")]
    Forbidden,
    /// It is too late, or it was done already.
    #[error("it is too late, or it was done already")]
    TooLate,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

impl From<AdminError> for BulkJobError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Broken(error) => Self::Broken(error),
            _ => Self::Forbidden,
        }
    }
}

/// Takes back what was done to many, and does the first batch of that. Who has been saved by somebody
/// else since stays as they are.
///
/// # Errors
/// [`BulkJobError`] says why not.
pub async fn undo(
    ctx: &Context,
    actor: Actor<'_>,
    of: BulkJobId,
) -> Result<BulkJobId, BulkJobError> {
    let now = ctx.clock.now();
    let job = bulk_job::find(&ctx.db, of).await?.ok_or(BulkJobError::NotFound)?;
    let needed = job.kind.and_then(BulkJobKind::undo_permission).ok_or(BulkJobError::TooLate)?;
    let transaction = ctx.db.begin().await?;
    if !admin::reload_actor(&transaction, actor.user.id).await?.may(needed) {
        return Err(BulkJobError::Forbidden);
    }
    let spec = (&BulkJobSpec::Undo { job: of }, Some(job.done));
    let id = bulk_job::enqueue(&transaction, &ctx.keys, actor, spec, now).await?;
    if !bulk_job::set_undone(&transaction, of, id, now).await? {
        return Err(BulkJobError::TooLate);
    }
    transaction.commit().await?;
    run_first_batch(ctx, actor, id).await;
    Ok(id)
}

/// Ends what is being done, after the batch that it is at.
///
/// # Errors
/// [`BulkJobError`] says why not.
pub async fn stop(ctx: &Context, actor: Actor<'_>, id: BulkJobId) -> Result<(), BulkJobError> {
    let job = bulk_job::find(&ctx.db, id).await?.ok_or(BulkJobError::NotFound)?;
    let transaction = ctx.db.begin().await?;
    let staff = admin::reload_actor(&transaction, actor.user.id).await?;
    if staff.id != job.actor && !staff.is_superuser {
        return Err(BulkJobError::Forbidden);
    }
    if !bulk_job::stop(&transaction, id, ctx.clock.now()).await? {
        return Err(BulkJobError::TooLate);
    }
    transaction.commit().await?;
    Ok(())
}

/// What is done to a handful is done when its page is shown. What fails here is done by the worker.
async fn run_first_batch(ctx: &Context, actor: Actor<'_>, id: BulkJobId) {
    tracing::info!(
        bulk_job.id = id.0,
        staff.id = actor.user.id.0,
        request.id = actor.info.request_id,
        "staff ordered something to be done to many accounts"
    );
    if let Err(BatchFailed { error, .. }) = claim_and_run(ctx, Claim::Id(id)).await {
        tracing::warn!(%error, bulk_job.id = id.0, "a first batch failed; it is done again");
    }
}

/// A batch that failed, and has not happened.
#[derive(Debug, Error)]
#[error("a batch failed: {error}")]
pub struct BatchFailed {
    /// Of what it was a batch; `None` when the database failed before that was known.
    pub of: Option<BulkJobId>,
    /// What the database said.
    pub error: DbError,
}

impl From<DbError> for BatchFailed {
    fn from(error: DbError) -> Self {
        Self { of: None, error }
    }
}

/// Does one batch of the oldest that is to be done and is none of `others`; tells whether there was
/// anything. The caller names those that have failed as `others`, so that they block nothing.
///
/// # Errors
/// [`BatchFailed`] when the database cannot; the batch has not happened then.
pub async fn run_next_batch(ctx: &Context, others: &[BulkJobId]) -> Result<bool, BatchFailed> {
    if !bulk_job::is_any_running(&ctx.db).await? {
        return Ok(false);
    }
    claim_and_run(ctx, Claim::NextExcept(others)).await
}

async fn claim_and_run(ctx: &Context, claim: Claim<'_>) -> Result<bool, BatchFailed> {
    let transaction = ctx.db.begin().await?;
    let locked = bulk_job::claim_next(&transaction, &ctx.keys, claim).await?;
    let Some((job, spec)) = locked else { return Ok(false) };
    let of = Some(job.id);
    let done = run_batch(ctx, transaction, (job, spec)).await;
    done.map(|()| true).map_err(|error| BatchFailed { of, error })
}

async fn run_batch(
    ctx: &Context,
    transaction: Transaction,
    (job, spec): (BulkJob, Option<BulkJobSpec>),
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    // Nobody takes a superuser's rights away meanwhile, and whoever locks accounts too takes turns.
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
        bulk_job::update_progress(&transaction, job.id, progress, now).await?;
        transaction.commit().await?;
        tracing::warn!(bulk_job.id = job.id.0, "a bulk job was stopped: nobody may do it any more");
        return Ok(());
    };
    let actor = Actor { user: &staff, info: &job.info };
    let batch = match spec {
        BulkJobSpec::Action { action, targets } => {
            run_action_batch(ctx, &transaction, (actor, &job), (&action, &targets)).await?
        }
        BulkJobSpec::Import { users, invite } => {
            run_import_batch(ctx, &transaction, (actor, &job), (&users, invite)).await?
        }
        BulkJobSpec::Undo { job: of } => {
            run_undo_batch(ctx, &transaction, (actor, &job), of).await?
        }
    };
    bulk_job::update_progress(&transaction, job.id, batch.progress, now).await?;
    transaction.commit().await?;
    for (target, action, over) in batch.changed {
        admin::after_commit(ctx, actor, (target, action), over);
    }
    Ok(())
}

/// What came of a batch.
struct Batch {
    progress: BatchProgress,
    changed: Vec<(UserId, AuditEventKind, Vec<SessionId>)>,
}

impl Batch {
    fn from(cursor: i64) -> Self {
        let progress = BatchProgress { cursor, done: 0, skipped: 0, state: BulkJobState::Running };
        Self { progress, changed: Vec::new() }
    }

    fn changes(&mut self, target: UserId, action: AuditEventKind, over: Vec<SessionId>) {
        self.progress.done += 1;
        self.changed.push((target, action, over));
    }

    /// Reports a row that the database refuses, and goes on; any other failure ends the batch. What a
    /// database says of a row can hold its values in the details, which are not logged.
    fn passes_over(&mut self, job: &BulkJob, row: i64, error: DbError) -> Result<(), DbError> {
        if !error.is_about_data() {
            return Err(error);
        }
        tracing::error!(%error, bulk_job.id = job.id.0, row, "a row of a bulk job was passed over");
        self.progress.skipped += 1;
        Ok(())
    }

    fn reaches(&mut self, cursor: i64, is_over: bool) {
        self.progress.cursor = cursor;
        self.progress.state = if is_over { BulkJobState::Done } else { BulkJobState::Running };
    }
}

async fn run_action_batch(
    ctx: &Context,
    transaction: &Transaction,
    (actor, job): (Actor<'_>, &BulkJob),
    (action, targets): (&AdminAction, &BulkTargets),
) -> Result<Batch, DbError> {
    let (mut batch, now) = (Batch::from(job.cursor), ctx.clock.now());
    let (ids, cursor, is_over) = next_targets(ctx, targets, UserId(job.cursor)).await?;
    for id in ids {
        let part = transaction.begin_nested().await?;
        match run_action(&part, (actor, job), id, action, now).await {
            Ok(Some(done)) => {
                part.commit().await?;
                batch.changes(id, done.kind, done.ended_sessions);
            }
            Ok(None) => {
                part.commit().await?;
                batch.progress.skipped += 1;
            }
            Err(AdminError::Broken(error)) => {
                part.roll_back().await?;
                batch.passes_over(job, id.0, error)?;
            }
            Err(_) => {
                part.roll_back().await?;
                batch.progress.skipped += 1;
            }
        }
    }
    batch.reaches(cursor.0, is_over);
    Ok(batch)
}

async fn run_action(
    part: &Transaction,
    (actor, job): (Actor<'_>, &BulkJob),
    id: UserId,
    action: &AdminAction,
    now: OffsetDateTime,
) -> Result<Option<PerformedAction>, AdminError> {
    let facts = json!({ "bulk": job.id });
    let done = admin::perform(part, actor, id, (action, facts), now).await?;
    if let Some(done) = &done
        && job.kind.is_some_and(|kind| kind.undo_permission().is_some())
    {
        bulk_job::save_snapshot(part, job.id, &done.before).await?;
    }
    Ok(done)
}

/// Whose turn it is, up to where everybody has been looked at, and whether that is the end.
async fn next_targets(
    ctx: &Context,
    targets: &BulkTargets,
    mut cursor: UserId,
) -> Result<(Vec<UserId>, UserId, bool), DbError> {
    match targets {
        BulkTargets::Ids(all) => {
            let rest = all.iter().copied().filter(|id| *id > cursor);
            let ids: Vec<UserId> = rest.take(usize::try_from(BATCH).unwrap_or(1)).collect();
            let cursor = ids.last().copied().unwrap_or(cursor);
            Ok((ids, cursor, all.last().is_none_or(|last| *last <= cursor)))
        }
        BulkTargets::Matching { filter, last } => {
            let mut ids = Vec::new();
            for _ in 0..LOOKS {
                (ids, cursor) = search::list_ids(&ctx.db, filter, (cursor, *last), BATCH).await?;
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
    (actor, job): (Actor<'_>, &BulkJob),
    (users, is_invited): (&[ImportedUser], bool),
) -> Result<Batch, DbError> {
    let (mut batch, now) = (Batch::from(job.cursor), ctx.clock.now());
    let begin = usize::try_from(job.cursor).unwrap_or(usize::MAX).min(users.len());
    let end = users.len().min(begin + IMPORTED);
    for (index, user) in users[begin..end].iter().enumerate() {
        let entry = (job.id, user, is_invited);
        match admin::create_imported(ctx, transaction, actor, entry, now).await {
            Ok(Some(id)) => batch.changes(id, AuditEventKind::CreatedByStaff, Vec::new()),
            Ok(None) => batch.progress.skipped += 1,
            Err(error) => {
                let row = i64::try_from(begin + index + 1).unwrap_or(i64::MAX);
                batch.passes_over(job, row, error)?;
            }
        }
    }
    batch.reaches(i64::try_from(end).unwrap_or(i64::MAX), end == users.len());
    Ok(batch)
}

async fn run_undo_batch(
    ctx: &Context,
    transaction: &Transaction,
    (actor, job): (Actor<'_>, &BulkJob),
    of: BulkJobId,
) -> Result<Batch, DbError> {
    let mut batch = Batch::from(job.cursor);
    let snapshots = bulk_job::list_snapshots(transaction, of, job.cursor, BATCH).await?;
    let cursor = snapshots.last().map_or(job.cursor, |(id, _)| id.0);
    let is_over = (snapshots.len() as u64) < BATCH;
    for (id, before) in snapshots {
        let facts = json!({
            "changes": { "is_active": [false, before.is_active] },
            "bulk": job.id,
            "undone": of,
        });
        let part = transaction.begin_nested().await?;
        match restore(ctx, &part, actor, (id, &before), facts).await {
            Ok(true) => {
                part.commit().await?;
                batch.changes(id, AuditEventKind::UndoneByStaff, Vec::new());
            }
            Err(AdminError::Broken(error)) => {
                part.roll_back().await?;
                batch.passes_over(job, id.0, error)?;
            }
            Ok(false) | Err(_) => {
                part.roll_back().await?;
                batch.progress.skipped += 1;
            }
        }
    }
    batch.reaches(cursor, is_over);
    Ok(batch)
}

async fn restore(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    (id, before): (UserId, &AccountSnapshot),
    facts: serde_json::Value,
) -> Result<bool, AdminError> {
    let now = ctx.clock.now();
    admin::lock_target(transaction, actor, id).await?;
    if !accounts::restore(transaction, id, before, now).await? {
        return Ok(false);
    }
    admin::record_event(transaction, actor, id, (AuditEventKind::UndoneByStaff, facts), now)
        .await?;
    Ok(true)
}

//! Bulk jobs: an administrator previews an action on many accounts, enqueues it, and can undo some
//! of them for a day.
//!
//! The first batch runs at once, the others in the worker; [`batch`] says how. The imported list is
//! parsed elsewhere.

mod batch;

use thiserror::Error;

use self::batch::run_first_batch;
pub use self::batch::{BatchFailed, run_next_batch};
use crate::accounts;
use crate::accounts::search;
use crate::accounts::search::{CursorPosition, MatchCount, SearchBounds, SortOrder, UserFilter};
use crate::admin;
use crate::admin::bulk_job::{BulkJobKind, BulkJobSpec, BulkJobState, BulkTargets};
use crate::admin::bulk_queue;
use crate::admin::{ActionRequest, Actor, AdminAction, AdminError};
use crate::context::Context;
use crate::db::DbError;
use crate::types::{BulkJobId, UserId};

/// The number of addresses in a preview.
const SAMPLE_SIZE: u64 = 10;

/// The accounts that an administrator selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// These accounts.
    Ids(Vec<UserId>),
    /// Every account that matches.
    Matching(UserFilter),
}

/// What an action would change.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The number of accounts that would change, as far as they were counted.
    pub count: MatchCount,
    /// The addresses of some of them.
    pub sample: Vec<String>,
    /// The number of selected accounts that would stay as they are.
    pub skipped: u64,
}

/// Previews an action; changes nothing.
pub async fn preview(
    ctx: &Context,
    actor: Actor<'_>,
    action: AdminAction,
    selection: &Selection,
) -> Result<Preview, DbError> {
    match selection {
        Selection::Ids(ids) => {
            let now = ctx.clock.now();
            let mut accounts = Vec::new();
            for account in accounts::list_by_ids(&ctx.db, ids).await? {
                let user = &account.user;
                // The same rules by which the batches leave accounts out, so that the preview is
                // true.
                let is_oneself = user.id == actor.user.id && action.is_dangerous();
                let is_above = user.is_superuser && !actor.user.is_superuser;
                if is_oneself || is_above || action.is_moot(&account, now) {
                    continue;
                }
                if !action.is_dangerous() || !admin::outranks(&ctx.db, user, actor.user).await? {
                    accounts.push(account);
                }
            }
            let count = accounts.len() as u64;
            let sample = accounts.iter().map(|account| account.user.email.as_typed().to_owned());
            Ok(Preview {
                count: MatchCount::Exactly(count),
                sample: sample.take(usize::try_from(SAMPLE_SIZE).unwrap_or_default()).collect(),
                skipped: (ids.len() as u64).saturating_sub(count),
            })
        }
        Selection::Matching(filter) => {
            let (sort, bounds) = (SortOrder::default(), SearchBounds::default());
            let found = search::list_page(
                &ctx.db,
                filter,
                sort,
                &CursorPosition::Start,
                bounds,
                SAMPLE_SIZE,
            )
            .await?;
            let sample = found.users.into_iter().map(|row| row.email).collect();
            Ok(Preview { count: found.count, sample, skipped: 0 })
        }
    }
}

/// Enqueues an action and runs its first batch.
pub async fn enqueue(
    ctx: &Context,
    actor: Actor<'_>,
    request: ActionRequest,
    selection: Selection,
) -> Result<BulkJobId, AdminError> {
    let needed = request.action.permission();
    let (targets, total) = match selection {
        Selection::Ids(mut ids) => {
            // Batches continue after the last ID that was done.
            ids.sort_unstable();
            ids.dedup();
            let total = ids.len() as u64;
            (BulkTargets::Ids(ids), Some(total))
        }
        Selection::Matching(filter) => {
            let (count, _) = search::count(&ctx.db, &filter, SearchBounds::default()).await?;
            let total = if let MatchCount::Exactly(total) = count { Some(total) } else { None };
            // Accounts that are created after the preview are left alone.
            (BulkTargets::Matching { filter, last: accounts::find_last(&ctx.db).await? }, total)
        }
    };
    let transaction = ctx.db.begin().await?;
    // Read again: the permission may have been taken away since the request was checked.
    if !admin::reload_actor(&transaction, actor.user.id).await?.may(needed) {
        return Err(AdminError::Forbidden);
    }
    let spec = BulkJobSpec::Action { request, targets };
    let id =
        bulk_queue::insert(ctx, &transaction, actor, &spec, total, BulkJobState::Running).await?;
    transaction.commit().await?;
    // A small job is done when its page is shown.
    run_first_batch(ctx, actor, id).await;
    Ok(id)
}

/// Why a job was not undone or stopped.
#[derive(Debug, Error)]
pub enum BulkJobError {
    /// The job does not exist.
    #[error("no such bulk job")]
    NotFound,
    /// The actor lacks the permission.
    #[error("the actor lacks the permission")]
    Forbidden,
    /// The time for it is over, or it was done before.
    #[error("too late, or done before")]
    TooLate,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl From<AdminError> for BulkJobError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Database(error) => Self::Database(error),
            AdminError::NotFound
            | AdminError::Forbidden
            | AdminError::OwnAccount
            | AdminError::LastSuperuser => Self::Forbidden,
        }
    }
}

/// Enqueues the undoing of a job and runs its first batch. Accounts that were saved since stay as
/// they are.
pub async fn undo(
    ctx: &Context,
    actor: Actor<'_>,
    of: BulkJobId,
) -> Result<BulkJobId, BulkJobError> {
    let now = ctx.clock.now();
    let job = bulk_queue::find(&ctx.db, of).await?.ok_or(BulkJobError::NotFound)?;
    let needed = job.kind.and_then(BulkJobKind::undo_permission).ok_or(BulkJobError::TooLate)?;
    let transaction = ctx.db.begin().await?;
    if !admin::reload_actor(&transaction, actor.user.id).await?.may(needed) {
        return Err(BulkJobError::Forbidden);
    }
    let (spec, total) = (BulkJobSpec::Undo { job: of }, Some(job.done));
    let id =
        bulk_queue::insert(ctx, &transaction, actor, &spec, total, BulkJobState::Running).await?;
    // One conditional statement decides, so of several attempts one succeeds.
    if !bulk_queue::set_undone(&transaction, of, id, now).await? {
        return Err(BulkJobError::TooLate);
    }
    transaction.commit().await?;
    run_first_batch(ctx, actor, id).await;
    Ok(id)
}

/// Stops a job after its current batch.
pub async fn stop(ctx: &Context, actor: Actor<'_>, id: BulkJobId) -> Result<(), BulkJobError> {
    let job = bulk_queue::find(&ctx.db, id).await?.ok_or(BulkJobError::NotFound)?;
    let transaction = ctx.db.begin().await?;
    let staff = admin::reload_actor(&transaction, actor.user.id).await?;
    if staff.id != job.actor && !staff.is_superuser {
        return Err(BulkJobError::Forbidden);
    }
    if !bulk_queue::stop(&transaction, id, ctx.clock.now()).await? {
        return Err(BulkJobError::TooLate);
    }
    transaction.commit().await?;
    Ok(())
}

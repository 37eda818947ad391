//! The batches of an action on many accounts.
//!
//! The rules are those of [`crate::admin`], checked for each account.

use serde_json::json;
use time::OffsetDateTime;

use super::result::{BATCH_SIZE, BatchResult};
use crate::accounts::search;
use crate::admin;
use crate::admin::bulk_job::{BulkJob, BulkTargets};
use crate::admin::bulk_queue;
use crate::admin::{ActionRequest, Actor, AdminError, PerformedAction};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::types::UserId;

/// How often a batch goes on when no account matches, ten thousand accounts at a time: a batch
/// holds the write lock, so its length is bounded.
const MAX_ROUNDS: usize = 20;

/// Does the action to the next accounts.
pub(super) async fn run_action_batch(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    job: &BulkJob,
    request: &ActionRequest,
    targets: &BulkTargets,
) -> Result<BatchResult, DbError> {
    let (mut batch, now) = (BatchResult::from(job.cursor), ctx.clock.now());
    let (ids, cursor, is_over) = next_targets(ctx, targets, UserId(job.cursor)).await?;
    for id in ids {
        // A savepoint: an account that the database refuses does not undo the others.
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
            Err(AdminError::Database(error)) => {
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
        // Only a job that can be undone needs the state of its accounts before.
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

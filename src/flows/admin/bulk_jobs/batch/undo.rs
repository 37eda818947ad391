//! The batches that undo a job: each restores the next accounts from their snapshots.

use serde_json::json;

use super::result::{BATCH_SIZE, BatchResult};
use crate::accounts;
use crate::accounts::AccountSnapshot;
use crate::admin;
use crate::admin::bulk_job::BulkJob;
use crate::admin::bulk_queue;
use crate::admin::{Actor, AdminError};
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::types::{BulkJobId, UserId};

/// Restores the next accounts.
pub(super) async fn run_undo_batch(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    job: &BulkJob,
    of: BulkJobId,
) -> Result<BatchResult, DbError> {
    let mut batch = BatchResult::from(job.cursor);
    let snapshots = bulk_queue::list_snapshots(transaction, of, job.cursor, BATCH_SIZE).await?;
    let cursor = snapshots.last().map_or(job.cursor, |(id, _)| id.0);
    let is_over = (snapshots.len() as u64) < BATCH_SIZE;
    for (id, before) in snapshots {
        let facts = json!({
            "changes": { "is_active": [false, before.is_active] },
            "bulk": job.id,
            "undone": of,
        });
        // A savepoint: an account that the database refuses does not undo the others.
        let part = transaction.begin_nested().await?;
        match restore(ctx, &part, actor, id, &before, facts).await {
            Ok(true) => {
                part.commit().await?;
                batch.add_change(id, AuditEventKind::UndoneByStaff);
            }
            Err(AdminError::Database(error)) => {
                part.roll_back().await?;
                batch.skip_row(job, id.0, error)?;
            }
            // Saved since the job, or out of reach for the actor: it stays as it is.
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

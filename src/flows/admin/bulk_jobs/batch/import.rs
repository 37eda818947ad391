//! The batches of an import: each creates the next users of the list.

use super::result::BatchResult;
use crate::admin;
use crate::admin::bulk_job::BulkJob;
use crate::admin::{Actor, ImportedUser};
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::db::{DbError, Transaction};

/// List entries in a batch: more than accounts in others, because the whole list is unsealed for
/// each.
const IMPORT_BATCH_SIZE: usize = 200;

/// Creates the next users.
pub(super) async fn run_import_batch(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    job: &BulkJob,
    users: &[ImportedUser],
    is_invited: bool,
) -> Result<BatchResult, DbError> {
    let (mut batch, now) = (BatchResult::from(job.cursor), ctx.clock.now());
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

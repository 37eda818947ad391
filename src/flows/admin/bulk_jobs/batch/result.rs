//! The result of a batch: how far the job has come, and which accounts changed.

use crate::admin::bulk_job::{BatchProgress, BulkJob, BulkJobState};
use crate::audit::AuditEventKind;
use crate::db::DbError;
use crate::types::UserId;

/// Accounts in a batch: about ten milliseconds of SQLite's one writer.
pub(super) const BATCH_SIZE: u64 = 50;

/// The result of a batch.
pub(super) struct BatchResult {
    pub(super) progress: BatchProgress,
    /// Each changed account, with what is logged after the commit.
    pub(super) changed: Vec<(UserId, AuditEventKind)>,
}

impl BatchResult {
    /// Begins at a cursor.
    pub(super) fn from(cursor: i64) -> Self {
        let progress = BatchProgress { cursor, done: 0, skipped: 0, state: BulkJobState::Running };
        Self { progress, changed: Vec::new() }
    }

    /// Counts an account that was changed.
    pub(super) fn add_change(&mut self, target: UserId, action: AuditEventKind) {
        self.progress.done += 1;
        self.changed.push((target, action));
    }

    /// Logs and skips a row that the database refuses; any other failure ends the batch.
    pub(super) fn skip_row(
        &mut self,
        job: &BulkJob,
        row: i64,
        error: DbError,
    ) -> Result<(), DbError> {
        if !error.is_about_data() {
            return Err(error);
        }
        // Without the details of the error, which can hold the values of the row.
        tracing::error!(%error, bulk_job.id = job.id.0, row, "a row of a bulk job was skipped");
        self.progress.skipped += 1;
        Ok(())
    }

    /// Moves the cursor on; the job is done if that was the end.
    pub(super) fn advance_to(&mut self, cursor: i64, is_over: bool) {
        self.progress.cursor = cursor;
        self.progress.state = if is_over { BulkJobState::Done } else { BulkJobState::Running };
    }
}

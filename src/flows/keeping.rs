//! Housekeeping: what nobody needs any more is thrown away, a little at a time.

use crate::ctx::Ctx;
use crate::db::DbError;
use crate::{audit, links, outbox, sessions, throttle};

/// Rows a transaction deletes at most: a few milliseconds of SQLite's one writer.
const BATCH: u32 = 500;

/// Deletes one batch of everything that is over; tells whether there may be more.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sweep(ctx: &Ctx) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let gone = [
        throttle::sweep(&transaction, now, BATCH).await?,
        sessions::sweep(&transaction, now, u64::from(BATCH)).await?,
        links::sweep(&transaction, now, u64::from(BATCH)).await?,
        audit::sweep(&transaction, now, u64::from(BATCH)).await?,
        outbox::sweep(&transaction, now, u64::from(BATCH)).await?,
    ];
    transaction.commit().await?;
    Ok(gone.into_iter().any(|rows| rows >= u64::from(BATCH)))
}

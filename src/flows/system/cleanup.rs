//! Deletes expired data, batch by batch.

use std::time::Duration;

use crate::admin::bulk_queue;
use crate::context::Context;
use crate::db::DbError;
use crate::{accounts, audit, keys, links, outbox, sessions, throttle};

/// The most rows that a transaction deletes: a few milliseconds of SQLite's one writer.
const BATCH: u32 = 500;

/// How long e-mails stay in the folder of `mail_url = "file"`.
const KEEP_FILES: Duration = Duration::from_hours(30 * 24);

/// Deletes one batch of everything that has expired; returns whether there may be more.
pub async fn sweep(ctx: &Context) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let gone = [
        throttle::sweep(&transaction, now, BATCH).await?,
        sessions::sweep(&transaction, now, u64::from(BATCH)).await?,
        links::sweep(&transaction, now, u64::from(BATCH)).await?,
        audit::sweep(&transaction, now, u64::from(BATCH)).await?,
        outbox::sweep(&transaction, now, u64::from(BATCH)).await?,
        bulk_queue::sweep(&transaction, now, u64::from(BATCH)).await?,
        keys::sweep(&transaction, now).await?,
    ];
    transaction.commit().await?;
    // A table that filled its batch may hold more.
    Ok(gone.into_iter().any(|rows| rows >= u64::from(BATCH)))
}

/// Reactivates one batch of accounts whose suspension has ended, each in a transaction of its own;
/// returns whether there may be more.
pub async fn end_suspensions(ctx: &Context) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    let batch = u64::from(BATCH);
    let suspended = accounts::list_suspended_until(&ctx.db, now, batch).await?;
    for user in &suspended {
        let transaction = ctx.db.begin().await?;
        // Under a condition: staff may have changed the suspension since it was listed.
        if accounts::end_suspension(&transaction, *user, now).await? {
            transaction.commit().await?;
            tracing::info!(user.id = user.0, "a suspension is over");
        }
    }
    Ok(suspended.len() as u64 >= batch)
}

/// Deletes one batch of old e-mails from the mail folder; returns whether there may be more.
///
/// # Errors
/// When the folder cannot be read, or an e-mail in it cannot be deleted.
pub async fn sweep_mail_folder(ctx: &Context) -> std::io::Result<bool> {
    let gone = ctx.mailer.sweep(ctx.clock.now() - KEEP_FILES).await?;
    Ok(gone > 0)
}

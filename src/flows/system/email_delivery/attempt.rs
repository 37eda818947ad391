//! One attempt to send an e-mail, and the record of its outcome.
//!
//! Retries only the record, never the e-mail: the outbox decides when a failed e-mail is due again.

use std::time::Duration;

use tokio::time::sleep;

use crate::clock::to_micros;
use crate::context::Context;
use crate::db::DbError;
use crate::mail::{Envelope, SendError};
use crate::outbox;
use crate::outbox::ClaimedEmail;

/// How soon marking an e-mail as sent is tried again when the database is unavailable; the wait
/// doubles until it is longer than the last one.
const FIRST_MARK_RETRY: Duration = Duration::from_millis(100);
const LAST_MARK_RETRY: Duration = Duration::from_secs(5);

/// The outcome of an attempt.
pub(super) enum Outcome {
    Sent,
    NotSent,
    /// The mail server could not be reached.
    Unreachable,
}

/// Sends an e-mail, unless it has expired, and records the outcome.
pub(super) async fn send(ctx: &Context, email: &ClaimedEmail) -> Result<Outcome, DbError> {
    if outbox::is_expired(email, ctx.clock.now()) {
        mark_expired(ctx, email).await?;
        return Ok(Outcome::NotSent);
    }
    // Numbers begin anew with a new database; together with the instant they identify the e-mail.
    let id = format!("{:x}-{}", to_micros(email.created_at), email.id);
    let envelope = Envelope {
        id: &id,
        to: &email.to.email,
        language: email.to.language,
        written_at: email.created_at,
    };
    match ctx.mailer.send(&envelope, &email.content).await {
        Ok(()) => mark_sent(ctx, email).await.map(|()| Outcome::Sent),
        Err(SendError::Permanent(why)) => {
            mark_failed(ctx, email, &why, true).await.map(|()| Outcome::NotSent)
        }
        Err(SendError::Transient(why)) => {
            mark_failed(ctx, email, &why, false).await.map(|()| Outcome::NotSent)
        }
        Err(SendError::Unreachable(why)) => {
            mark_failed(ctx, email, &why, false).await.map(|()| Outcome::Unreachable)
        }
    }
}

/// Marks an e-mail that the mail server has accepted.
async fn mark_sent(ctx: &Context, email: &ClaimedEmail) -> Result<(), DbError> {
    let mut again = FIRST_MARK_RETRY;
    loop {
        match outbox::mark_sent(&ctx.db, email, ctx.clock.now()).await {
            // An e-mail that was sent and is not marked would be sent twice.
            Err(error) if error.is_unavailable() && again <= LAST_MARK_RETRY => {
                sleep(again).await;
                again *= 2;
            }
            outcome => return outcome,
        }
    }
}

async fn mark_expired(ctx: &Context, email: &ClaimedEmail) -> Result<(), DbError> {
    let reason = match email.reason.as_str() {
        "" => "too late".to_owned(),
        reason => format!("too late: {reason}"),
    };
    mark_failed(ctx, email, &reason, true).await
}

/// Marks an e-mail as failed, for good when it is final or would come too late.
async fn mark_failed(
    ctx: &Context,
    email: &ClaimedEmail,
    reason: &str,
    is_final: bool,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let is_over = outbox::mark_failed(&ctx.db, email, reason, is_final, now).await?;
    let (id, kind) = (email.id, email.content.kind.as_str());
    if is_over {
        tracing::error!(email.id = id, email.kind = kind, reason, "an e-mail was given up");
    } else {
        tracing::warn!(email.id = id, email.kind = kind, reason, "an e-mail could not be sent yet");
    }
    Ok(())
}

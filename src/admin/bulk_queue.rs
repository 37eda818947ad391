//! The queue of bulk jobs: enqueuing and claiming them, their progress, and what undoing them needs.
//!
//! Keeps the rows and their sealed specifications. Does not run batches and decides no permission; both
//! belong to the use case.

use std::time::Duration;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::bulk_job::{BulkJob, BulkJobSpec, BulkJobState, Claim, UNDO_WINDOW};
pub use super::store::{
    find, is_any_running, list_latest, list_snapshots, save_snapshot, stop, update_progress,
};
use super::{Actor, store};
use crate::context::Context;
use crate::crypto::DerivedKeys;
use crate::db::{DbError, Transaction};
use crate::types::{BulkJobId, UserId};

/// The label under which specifications are sealed.
const LABEL: &str = "bulk job";

/// How long a draft waits to be started.
const DRAFT_LIFETIME: Duration = Duration::from_hours(1);

/// How long a finished job stays in the list.
const KEEP: Duration = Duration::from_hours(30 * 24);

/// Stores a job: a running one, whose batches run from now on, or a draft, which [`start_draft`] turns into a
/// running job.
pub async fn insert(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    spec: &BulkJobSpec,
    total: Option<u64>,
    state: BulkJobState,
) -> Result<BulkJobId, DbError> {
    // Sealed, because an import contains password hashes and addresses.
    let json = Zeroizing::new(serde_json::to_vec(spec).expect("a specification is plain data"));
    let (sealed, now) = (ctx.keys.seal(LABEL, &json), ctx.clock.now());
    store::insert(transaction, actor, spec.kind(), sealed, total, state, now).await
}

/// Starts a recent draft of this user. Returns `false` when there is none.
pub async fn start_draft(
    transaction: &Transaction,
    id: BulkJobId,
    by: UserId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    // One conditional statement, so a draft starts at most once.
    store::update_started(transaction, id, by, now - DRAFT_LIFETIME).await
}

/// Locks a running job until the transaction ends. A specification that cannot be read is `None`.
pub async fn claim_next(
    transaction: &Transaction,
    keys: &DerivedKeys,
    claim: Claim<'_>,
) -> Result<Option<(BulkJob, Option<BulkJobSpec>)>, DbError> {
    let Some((job, sealed)) = store::lock_next(transaction, claim).await? else { return Ok(None) };
    // `None` rather than an error: the caller stops this job, and the others run.
    let json = keys.unseal(LABEL, &sealed).ok();
    let spec = json.and_then(|json| serde_json::from_slice(&json).ok());
    Ok(Some((job, spec)))
}

/// Marks a job as undone by another one. Returns `false` when it cannot be undone or was undone before.
pub async fn set_undone(
    transaction: &Transaction,
    id: BulkJobId,
    by: BulkJobId,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_undone(transaction, id, by, now - UNDO_WINDOW).await
}

/// Deletes up to `at_most` jobs that ended long ago, with their snapshots, and drafts that were never
/// started. Returns the number of deleted jobs.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_over(transaction, now - KEEP, now - DRAFT_LIFETIME, at_most).await
}

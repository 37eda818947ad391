//! Imports a list of users: it is previewed, kept as a draft for an hour, and enqueued as a bulk
//! job.
//!
//! Does not parse the file; takes users that have been checked.

use std::collections::HashSet;

use crate::accounts;
use crate::admin;
use crate::admin::bulk_job::{BulkJobSpec, BulkJobState};
use crate::admin::bulk_queue;
use crate::admin::{Actor, AdminError, ImportedUser};
use crate::context::Context;
use crate::crypto::{PasswordHash, QueueFull};
use crate::db::DbError;
use crate::types::{BulkJobId, Email, Permission};

/// The number of addresses in one query.
const ADDRESSES_PER_QUERY: usize = 500;

/// Returns the positions in the list of the addresses that already have an account.
pub async fn find_existing(ctx: &Context, emails: &[Email]) -> Result<Vec<usize>, DbError> {
    let mut taken = HashSet::new();
    for some in emails.chunks(ADDRESSES_PER_QUERY) {
        let some: Vec<&Email> = some.iter().collect();
        taken.extend(accounts::list_taken(&ctx.db, &some).await?);
    }
    let positions =
        emails.iter().enumerate().filter(|(_, email)| taken.contains(email.canonical()));
    Ok(positions.map(|(position, _)| position).collect())
}

/// Returns the positions in the list of the hashes that this machine would take too long to
/// compute.
///
/// # Errors
/// [`QueueFull`] when the hashing threads are too busy to measure their speed.
pub async fn find_costly_hashes<'n>(
    ctx: &Context,
    users: impl Iterator<Item = &'n ImportedUser>,
) -> Result<Vec<usize>, QueueFull> {
    let hashes: Vec<_> = users
        .enumerate()
        .filter(|(_, user)| !user.password_hash.is_empty())
        .map(|(position, user)| (position, PasswordHash::from_stored(user.password_hash.clone())))
        .collect();
    // Measuring the machine takes a moment on the hashing threads; a list without hashes needs
    // none.
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let limit = ctx.hasher.import_limit().await?;
    Ok(hashes
        .iter()
        .filter(|(_, hash)| !limit.allows(hash))
        .map(|(position, _)| *position)
        .collect())
}

/// Stores a list, sealed because it may contain hashes, until it is enqueued.
pub async fn draft(
    ctx: &Context,
    actor: Actor<'_>,
    users: Vec<ImportedUser>,
    invite: bool,
) -> Result<BulkJobId, AdminError> {
    let transaction = ctx.db.begin().await?;
    if !admin::reload_actor(&transaction, actor.user.id).await?.may(Permission::UsersAdd) {
        return Err(AdminError::Forbidden);
    }
    let total = Some(users.len() as u64);
    let spec = BulkJobSpec::Import { users, invite };
    let id =
        bulk_queue::insert(ctx, &transaction, actor, &spec, total, BulkJobState::Draft).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Enqueues a draft. Returns `false` when this user has no such draft, or when it is too old or was
/// enqueued before.
pub async fn enqueue(ctx: &Context, actor: Actor<'_>, id: BulkJobId) -> Result<bool, DbError> {
    let transaction = ctx.db.begin().await?;
    if !bulk_queue::start_draft(&transaction, id, actor.user.id, ctx.clock.now()).await? {
        return Ok(false);
    }
    transaction.commit().await?;
    tracing::info!(
        bulk_job.id = id.0,
        staff.id = actor.user.id.0,
        request.id = actor.info.request_id,
        "bulk job enqueued"
    );
    Ok(true)
}

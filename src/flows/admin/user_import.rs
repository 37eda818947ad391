//! Staff make accounts for the people on a list: it is looked at first, kept for an hour, and done
//! batch by batch when it is ordered.

use std::collections::HashSet;

use crate::accounts;
use crate::admin;
use crate::admin::bulk_job;
use crate::admin::bulk_job::BulkJobSpec;
use crate::admin::{Actor, AdminError, ImportedUser};
use crate::context::Context;
use crate::crypto::{PasswordHash, QueueFull};
use crate::db::DbError;
use crate::types::{BulkJobId, Email, Permission};

/// Addresses that are looked up at once.
const LOOKED_UP: usize = 500;

/// Those on a list whose addresses have an account already: their places in it.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn find_existing(ctx: &Context, emails: &[Email]) -> Result<Vec<usize>, DbError> {
    let mut taken = HashSet::new();
    for some in emails.chunks(LOOKED_UP) {
        let some: Vec<&Email> = some.iter().collect();
        taken.extend(accounts::list_taken(&ctx.db, &some).await?);
    }
    let places = emails.iter().enumerate().filter(|(_, email)| taken.contains(email.canonical()));
    Ok(places.map(|(place, _)| place).collect())
}

/// Finds those on a list whose hashes would take this machine too long to compute: their places in it.
///
/// # Errors
/// [`QueueFull`] when the hashing threads are too busy to say how fast they are.
pub async fn find_costly_hashes<'n>(
    ctx: &Context,
    people: impl Iterator<Item = &'n ImportedUser>,
) -> Result<Vec<usize>, QueueFull> {
    let hashes: Vec<_> = people
        .enumerate()
        .filter(|(_, person)| !person.password_hash.is_empty())
        .map(|(place, person)| (place, PasswordHash::from_stored(person.password_hash.clone())))
        .collect();
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let limit = ctx.hasher.import_limit().await?;
    Ok(hashes.iter().filter(|(_, hash)| !limit.allows(hash)).map(|(place, _)| *place).collect())
}

/// Keeps a list that was looked at, sealed, until it is ordered.
///
/// # Errors
/// [`AdminError`] says why not.
pub async fn draft(
    ctx: &Context,
    actor: Actor<'_>,
    users: Vec<ImportedUser>,
    invite: bool,
) -> Result<BulkJobId, AdminError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if !admin::reload_actor(&transaction, actor.user.id).await?.may(Permission::UsersAdd) {
        return Err(AdminError::Forbidden);
    }
    let total = Some(users.len() as u64);
    let spec = BulkJobSpec::Import { users, invite };
    let id = bulk_job::draft(&transaction, &ctx.keys, actor, (&spec, total), now).await?;
    transaction.commit().await?;
    Ok(id)
}

/// BulkJobSpec what was planned; `false` means that there is no such plan of this person, that it was too
/// long ago, or that it was ordered already.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn enqueue(ctx: &Context, actor: Actor<'_>, id: BulkJobId) -> Result<bool, DbError> {
    let transaction = ctx.db.begin().await?;
    if !bulk_job::start_draft(&transaction, id, actor.user.id, ctx.clock.now()).await? {
        return Ok(false);
    }
    transaction.commit().await?;
    tracing::info!(
        bulk_job.id = id.0,
        staff.id = actor.user.id.0,
        request.id = actor.info.request_id,
        "staff ordered accounts for a list of people"
    );
    Ok(true)
}

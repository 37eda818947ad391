//! Staff make accounts for the people on a list: it is looked at first, kept for an hour, and done
//! batch by batch when it is ordered.

use std::collections::HashSet;

use crate::accounts;
use crate::admin;
use crate::admin::bulk_job;
use crate::admin::bulk_job::Orders;
use crate::admin::{ActError, Acting, Newcomer};
use crate::context::Ctx;
use crate::crypto::{PasswordHash, QueueFull};
use crate::db::DbError;
use crate::types::{BulkId, Email, Permission};

/// Addresses that are looked up at once.
const LOOKED_UP: usize = 500;

/// Those on a list whose addresses have an account already: their places in it.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub async fn find_taken(ctx: &Ctx, emails: &[Email]) -> Result<Vec<usize>, DbError> {
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
pub async fn find_too_costly<'n>(
    ctx: &Ctx,
    people: impl Iterator<Item = &'n Newcomer>,
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
/// [`ActError`] says why not.
pub async fn plan(
    ctx: &Ctx,
    acting: Acting<'_>,
    people: Vec<Newcomer>,
    invite: bool,
) -> Result<BulkId, ActError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if !admin::actor(&transaction, acting.by.id).await?.may(Permission::UsersAdd) {
        return Err(ActError::AboveOneself);
    }
    let total = Some(people.len() as u64);
    let orders = Orders::Import { people, invite };
    let id = bulk_job::plan(&transaction, &ctx.keys, acting, (&orders, total), now).await?;
    transaction.commit().await?;
    Ok(id)
}

/// Orders what was planned; `false` means that there is no such plan of this person, that it was too
/// long ago, or that it was ordered already.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn start(ctx: &Ctx, acting: Acting<'_>, id: BulkId) -> Result<bool, DbError> {
    let transaction = ctx.db.begin().await?;
    if !bulk_job::start(&transaction, id, acting.by.id, ctx.clock.now()).await? {
        return Ok(false);
    }
    transaction.commit().await?;
    tracing::info!(
        bulk.id = id.0,
        staff.id = acting.by.id.0,
        request.id = acting.caller.request_id,
        "staff ordered accounts for a list of people"
    );
    Ok(true)
}

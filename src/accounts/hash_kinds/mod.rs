//! Which kinds of password hashes the accounts hold: what a wrong password has to cost everywhere.
//!
//! The database knows it by two indexes, so nothing is remembered here: an import shows at once, on every
//! node, and so does the log-in that makes the last imported hash anew.

mod store;

use crate::context::Context;
use crate::crypto::{HashCostLimit, HashKinds, QueueFull};
use crate::db::DbError;

/// Different costs of argon2 that are looked for. A site that changed its own cost and imported from
/// Django has three.
const MAX_COSTS: u32 = 8;

/// Why a wrong password was not made as expensive as all others.
#[derive(Debug, thiserror::Error)]
pub enum HashKindsError {
    /// Too many people at once.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Returns the kinds of hashes that are held. Those that cost too much to be computed are none.
///
/// # Errors
/// [`RoundUpError`] says why they are not known.
pub async fn hash_kinds(ctx: &Context) -> Result<HashKinds, HashKindsError> {
    let find_kinds = find_kinds(ctx, HashCostLimit::CEILING).await?;
    // A site that imported nothing need not know how fast its machine is.
    if ctx.hasher.has_only_own_cost(&find_kinds) {
        return Ok(find_kinds);
    }
    let limit = ctx.hasher.compute_limit().await?;
    let find_kinds = if limit.allows_iterations(&find_kinds) {
        find_kinds
    } else {
        self::find_kinds(ctx, limit).await?
    };
    Ok(find_kinds.within(limit))
}

async fn find_kinds(ctx: &Context, limit: HashCostLimit) -> Result<HashKinds, DbError> {
    let (iterations, costs) = store::find_kinds(&ctx.db, limit.iterations(), MAX_COSTS).await?;
    // What is not a cost is never computed.
    let costs = costs.iter().filter_map(|cost| cost.parse().ok()).collect();
    Ok(HashKinds { iterations, costs })
}

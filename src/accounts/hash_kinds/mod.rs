//! Finds which kinds of password hashes are stored, and so what the check of a wrong password must
//! cost.
//!
//! Caches nothing, because two indexes answer this: an import takes effect at once on every node,
//! and so does the log-in that replaces the last imported hash.

mod store;

use crate::context::Context;
use crate::crypto::{HashCostLimit, HashKinds, QueueFull};
use crate::db::DbError;

/// The highest number of argon2 costs that are considered. A site that changed its own cost and
/// imported from Django has three.
const MAX_COSTS: u32 = 8;

/// Why the kinds of hashes are not known.
#[derive(Debug, thiserror::Error)]
pub enum HashKindsError {
    /// Too many passwords are waiting to be hashed.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Returns the kinds of hashes that are stored, without those that are too expensive to compute.
pub async fn hash_kinds(ctx: &Context) -> Result<HashKinds, HashKindsError> {
    let find_kinds = find_kinds(ctx, HashCostLimit::CEILING).await?;
    // A site without imported hashes need not know how fast its machine is.
    if ctx.hasher.has_only_own_cost(&find_kinds) {
        return Ok(find_kinds);
    }
    let limit = ctx.hasher.compute_limit().await?;
    // The most iterations may be too many to compute; then the most that are not count.
    let find_kinds = if limit.allows_iterations(&find_kinds) {
        find_kinds
    } else {
        self::find_kinds(ctx, limit).await?
    };
    Ok(find_kinds.within(limit))
}

async fn find_kinds(ctx: &Context, limit: HashCostLimit) -> Result<HashKinds, DbError> {
    let (iterations, costs) = store::find_kinds(&ctx.db, limit.iterations(), MAX_COSTS).await?;
    // A malformed cost is never computed.
    let costs = costs.iter().filter_map(|cost| cost.parse().ok()).collect();
    Ok(HashKinds { iterations, costs })
}

//! The rate limit of social log-ins, counted by client network.

use std::time::Duration;

use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::RequestInfo;

/// Providers are asked on behalf of strangers, from one network no more often than passwords are
/// tried.
const BY_NETWORK: Limit = Limit {
    name: "social-place",
    free: 100,
    forgets_one_in: Duration::from_secs(30),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(5),
};

/// Counts the attempt before the provider is asked.
pub(super) async fn check(ctx: &Context, info: &RequestInfo) -> Result<(), ThrottleError> {
    let network = [BY_NETWORK.on(&ctx.keys.pseudonym(&info.client_network()))];
    throttle::check_rate_limit(&ctx.db, &network, ctx.clock.now()).await
}

/// Takes the attempt back after a log-in that succeeded.
pub(super) async fn refund(
    ctx: &Context,
    transaction: &Transaction,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let network = [BY_NETWORK.on(&ctx.keys.pseudonym(&info.client_network()))];
    throttle::refund(transaction, &network).await
}

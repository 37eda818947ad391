//! Asking for the proof of an address: the letter, and how often it is sent again, whichever door it
//! is asked for at.

use std::time::Duration;

use crate::ctx::Ctx;
use crate::db::{DbError, Transaction};
use crate::links::{self, Purpose};
use crate::mail::{Kind, Letter};
use crate::outbox::{self, Addressee};
use crate::throttle::{self, Limit, ThrottleError};
use crate::types::{Caller, UserId};

/// Once a minute: by then the first letter has arrived.
const BY_MINUTE: Limit = Limit {
    name: "verify-minute",
    free: 0,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_mins(1),
    longest_wait: Duration::from_mins(1),
};

/// Five times a day: whoever does not find the letter then will not find a sixth.
const BY_DAY: Limit = Limit {
    name: "verify-day",
    free: 4,
    forgets_one_in: Duration::from_hours(24),
    first_wait: Duration::from_hours(24),
    longest_wait: Duration::from_hours(24),
};

/// Counts one more letter. To be called before the transaction that writes it.
///
/// # Errors
/// [`ThrottleError::TooSoon`] when the last one is too recent, or there were enough today.
pub async fn count_proof_letter(ctx: &Ctx, user: UserId) -> Result<(), ThrottleError> {
    let subject = user.to_string();
    let tries = [BY_DAY.on(&subject), BY_MINUTE.on(&subject)];
    throttle::admit(&ctx.db, &tries, ctx.clock.now()).await
}

/// Writes to an address, so that its owner can prove it, or say that somebody else gave it. The
/// account is locked, or was made in this transaction.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn ask_for_proof(
    ctx: &Ctx,
    transaction: &Transaction,
    user: UserId,
    to: &Addressee,
    caller: &Caller,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let purposes = [Purpose::VerifyEmail, Purpose::NotMe];
    let whose = (user, Some(&to.email));
    let [link, not_me] = links::mint_each(transaction, ctx.random, purposes, whose, now).await?;
    let letter = Letter::new(Kind::VerifyEmail).with_link(link).with_not_me(not_me);
    outbox::put(transaction, &ctx.keys, to, &letter.about(caller, now), now).await
}

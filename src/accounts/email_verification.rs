//! Verification e-mails: what they contain, and how often they are sent, for all entry points.

use std::time::Duration;

use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::{Email, RequestInfo, UserId};

/// Once a minute: by then the first e-mail has arrived.
const BY_MINUTE: Limit = Limit {
    name: "verify-minute",
    free: 0,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_mins(1),
    longest_wait: Duration::from_mins(1),
};

/// Five times a day: a user who does not find these e-mails will not find a sixth.
const BY_DAY: Limit = Limit {
    name: "verify-day",
    free: 4,
    forgets_one_in: Duration::from_hours(24),
    first_wait: Duration::from_hours(24),
    longest_wait: Duration::from_hours(24),
};

/// E-mails to the owner of a taken address, however many visitors sign up with it.
const EXISTING_OWNER_EMAILS: Limit = Limit {
    // The stored name is older than the term.
    name: "signup-letters",
    free: 2,
    forgets_one_in: Duration::from_mins(30),
    first_wait: Duration::from_hours(1),
    longest_wait: Duration::from_hours(1),
};

/// Counts one more verification e-mail. Call it before the transaction that writes the e-mail.
///
/// # Errors
/// [`ThrottleError::TooSoon`] when the last one is too recent, or there were enough today.
pub async fn count_verification_email(ctx: &Context, user: UserId) -> Result<(), ThrottleError> {
    let subject = user.to_string();
    // One statement counts both or neither, so a user who is too early loses none of the day's
    // five.
    let attempts = [BY_DAY.on(&subject), BY_MINUTE.on(&subject)];
    throttle::check_rate_limit(&ctx.db, &attempts, ctx.clock.now()).await
}

/// Sends an e-mail by which the owner of the address can verify it, or report that someone else
/// signed up with it. The account is locked, or was created in this transaction.
pub async fn send_verification_email(
    ctx: &Context,
    transaction: &Transaction,
    user: UserId,
    to: &Recipient,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let purposes = [Purpose::VerifyEmail, Purpose::NotMe];
    let [link, not_me] =
        links::create_each(ctx, transaction, purposes, user, Some(&to.email)).await?;
    let content = EmailContent::new(EmailKind::VerifyEmail).with_link(link).with_not_me(not_me);
    outbox::enqueue(transaction, &ctx.keys, to, &content.about(info, now), now).await
}

/// Notifies the owner of a taken address that a visitor signed up with it.
pub async fn notify_existing_owner(
    ctx: &Context,
    email: &Email,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let attempts = [EXISTING_OWNER_EMAILS.on(&ctx.keys.pseudonym(email.canonical()))];
    match throttle::check_rate_limit(&ctx.db, &attempts, now).await {
        Ok(()) => {}
        // The same answer as for a sent e-mail: the visitor must not learn that the address is
        // taken.
        Err(ThrottleError::TooSoon(_)) => return Ok(()),
        Err(ThrottleError::Database(error)) => return Err(error),
    }
    let transaction = ctx.db.begin().await?;
    let owner = super::find_by_email(&transaction, email).await?;
    let Some(owner) = owner.filter(|owner| owner.is_active) else { return Ok(()) };
    let user = &owner.user;
    let mut content = EmailContent::new(EmailKind::AlreadyJoined).about(info, now);
    // The owner may not remember an earlier sign-up, and needs a link to verify the address.
    if user.email_verified_at.is_none() {
        let link =
            links::create(ctx, &transaction, Purpose::VerifyEmail, user.id, Some(&user.email))
                .await?;
        content = content.with_link(link);
    }
    outbox::enqueue(&transaction, &ctx.keys, &owner.recipient(), &content, now).await?;
    transaction.commit().await
}

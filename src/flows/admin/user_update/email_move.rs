//! Moves an account to another address.
//!
//! Ends no session: that is part of the update.

use crate::accounts;
use crate::accounts::Account;
use crate::clock::to_micros;
use crate::config::EmailVerification;
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::types::Email;

/// Moves the account to another address. The old address is notified and can undo it; the new one
/// gets a link to verify it, unless it counts as verified. Returns `false` when the new one is
/// taken.
pub(super) async fn move_to_email(
    ctx: &Context,
    transaction: &Transaction,
    account: &Account,
    new: &Email,
    is_verified: bool,
) -> Result<bool, DbError> {
    let (user, now) = (account.user.id, ctx.clock.now());
    if !accounts::change_email(transaction, user, new, is_verified, now).await? {
        return Ok(false);
    }
    let old = Some(&account.user.email);
    let undo = links::create(ctx, transaction, Purpose::UndoEmailChange, user, old).await?;
    let mut content = EmailContent::new(EmailKind::EmailChanged).with_link(undo);
    content.data.email = Some(new.as_typed().to_owned());
    content.data.at = Some(to_micros(now));
    outbox::enqueue(transaction, &ctx.keys, &account.recipient(), &content, now).await?;
    if !is_verified && ctx.settings.email_verification != EmailVerification::None {
        let to = Recipient { email: new.clone(), ..account.recipient() };
        let link = links::create(ctx, transaction, Purpose::VerifyEmail, user, Some(new)).await?;
        let content = EmailContent::new(EmailKind::VerifyEmail).with_link(link);
        outbox::enqueue(transaction, &ctx.keys, &to, &content, now).await?;
    }
    Ok(true)
}

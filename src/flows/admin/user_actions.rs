//! What staff do to one account: one act, one transaction, one event in the trail. The rules are
//! those of [`staff`].

use serde_json::json;
use time::OffsetDateTime;

use crate::accounts;
use crate::admin;
use crate::admin::{ActError, Acting, Deed, hold};
use crate::audit::Action;
use crate::context::Ctx;
use crate::links;
use crate::links::Purpose;
use crate::mail::{Kind, Letter};
use crate::outbox;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{Secret, UserId};

/// Does a deed to an account. Where there is nothing to be done, nothing is written.
///
/// # Errors
/// [`ActError`] says why it was not done.
pub async fn act(ctx: &Ctx, acting: Acting<'_>, whom: UserId, deed: &Deed) -> Result<(), ActError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let done = admin::carry_out(&transaction, acting, whom, (deed, json!({})), now).await?;
    if let Some(done) = done {
        transaction.commit().await?;
        admin::done(ctx, acting, (whom, done.action), done.over);
    }
    Ok(())
}

/// Makes a link for a new password, to be handed over or, if `by_letter`, sent to the person. The
/// person's older links for this stop working.
///
/// # Errors
/// [`ActError`] says why not.
pub async fn reset_link(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
    by_letter: bool,
) -> Result<Secret, ActError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let held = hold(&transaction, acting, whom).await?;
    // Whoever has the link can be the person.
    if !held.is_within_reach(&transaction).await? {
        return Err(ActError::AboveOneself);
    }
    let reset = Purpose::ResetPassword;
    links::end(&transaction, whom, &[reset], OffsetDateTime::UNIX_EPOCH, now).await?;
    let link = links::mint(&transaction, ctx.random, reset, (whom, None), now).await?;
    if by_letter {
        let letter = Letter::new(Kind::ResetPassword).with_link(link.clone());
        let to = held.account.addressee();
        outbox::put(&transaction, &ctx.keys, &to, &letter, now).await?;
    }
    let what = (Action::ResetLinkMade, json!({ "by_letter": by_letter }));
    admin::record(&transaction, acting, whom, what, now).await?;
    transaction.commit().await?;
    admin::done(ctx, acting, (whom, Action::ResetLinkMade), Vec::new());
    Ok(link)
}

/// Makes the password stop working, and ends every session.
///
/// # Errors
/// [`ActError`] says why not.
pub async fn lock_password(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<(), ActError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let held = hold(&transaction, acting, whom).await?;
    if whom != acting.by.id {
        held.must_be_within_reach(&transaction).await?;
    }
    accounts::set_password(&transaction, whom, None, now).await?;
    let why = EndReason::PasswordChanged;
    let over = sessions::end_all(&transaction, whom, None, why, now).await?;
    let what = (Action::PasswordLocked, json!({}));
    admin::record(&transaction, acting, whom, what, now).await?;
    transaction.commit().await?;
    admin::done(ctx, acting, (whom, Action::PasswordLocked), over);
    Ok(())
}

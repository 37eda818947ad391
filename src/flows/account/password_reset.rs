//! Password reset: a new password by a link in an e-mail.
//!
//! A request does the same for every address. The worker finds out whether the address has an
//! account.

use std::time::Duration;

use thiserror::Error;

use crate::accounts;
use crate::accounts::{Account, NewPasswordError, Weakness};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::DbError;
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::sessions;
use crate::sessions::EndReason;
use crate::social;
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::{Email, Language, Password, RequestInfo, Secret};

/// Limits e-mails to one address to three an hour, regardless of the requester. Further requests
/// get the same response and send nothing.
const BY_EMAIL: Limit = Limit {
    name: "reset-email",
    // The third is still sent, and starts the wait.
    free: 2,
    forgets_one_in: Duration::from_hours(1),
    first_wait: Duration::from_hours(1),
    longest_wait: Duration::from_hours(1),
};

/// Limits requests from one client network, for any addresses: many pupils forget their password on
/// the first day of school.
const BY_PLACE: Limit = Limit {
    name: "reset-place",
    free: 50,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(10),
};

/// Why a reset failed.
#[derive(Debug, Error)]
pub enum PasswordResetError {
    /// The link was used, is too old, was revoked by a later change, or never existed.
    #[error("the link does not work")]
    Dead,
    /// The new password was rejected.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Requests a link. The answer does not reveal whether the address has an account.
pub async fn request(
    ctx: &Context,
    email: Email,
    language: Language,
    info: &RequestInfo,
) -> Result<(), ThrottleError> {
    let now = ctx.clock.now();
    let place = BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()));
    throttle::check_rate_limit(&ctx.db, &[place], now).await?;
    let address = BY_EMAIL.on(&ctx.keys.pseudonym(email.canonical()));
    match throttle::check_rate_limit(&ctx.db, &[address], now).await {
        Ok(()) => {}
        Err(ThrottleError::TooSoon(_)) => {
            tracing::info!(request.id = info.request_id, "no reset e-mail: there were enough");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    // Written for every address alike: the worker looks the account up, where the time it takes
    // shows nothing (decision 0012).
    let to = Recipient { user: None, email, language };
    let request = EmailContent::new(EmailKind::ResetPassword).about(info, now);
    let transaction = ctx.db.begin().await?;
    outbox::enqueue(&transaction, &ctx.keys, &to, &request, now).await?;
    transaction.commit().await?;
    tracing::info!(request.id = info.request_id, "a reset link was asked for");
    Ok(())
}

/// Returns the address of the account that a valid link belongs to.
pub async fn find_email(ctx: &Context, token: &Secret) -> Result<Option<Email>, DbError> {
    Ok(account(ctx, token).await?.map(|account| account.user.email))
}

/// Returns everything that is wrong with a password, for a user with a valid link whose form is
/// rejected anyway.
///
/// # Errors
/// [`PasswordResetError`] when the password was not checked.
pub async fn check_password_strength(
    ctx: &Context,
    token: &Secret,
    password: &Password,
) -> Result<Vec<Weakness>, PasswordResetError> {
    let account = account(ctx, token).await?.ok_or(PasswordResetError::Dead)?;
    let found = accounts::check_password_strength(ctx, password, account.user_attributes()).await;
    Ok(found.map_err(NewPasswordError::from)?)
}

/// Sets the password by link, verifies the address and ends every session; does not log the user
/// in. Of several attempts with one link, one succeeds.
pub async fn reset(
    ctx: &Context,
    token: &Secret,
    password: Password,
    info: &RequestInfo,
) -> Result<(), PasswordResetError> {
    let account = account(ctx, token).await?.ok_or(PasswordResetError::Dead)?;
    // Before the transaction: SQLite has one writer, which must not wait for a hash.
    let hash = accounts::hash_new_password(ctx, password, account.user_attributes()).await?;

    let now = ctx.clock.now();
    let user = account.user.id;
    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?.filter(|account| account.is_active);
    let account = account.ok_or(PasswordResetError::Dead)?;
    if !links::consume(&transaction, token, Purpose::ResetPassword, now).await? {
        return Err(PasswordResetError::Dead);
    }
    accounts::set_password(&transaction, user, Some(&hash), now).await?;
    // Attackers guessed at the old password, so their attempts count no longer.
    sessions::reset_failures(ctx, &transaction, &account.user.email).await?;
    // An attacker who signed up by a provider with a foreign address would otherwise keep access.
    social::disconnect_unverified(&transaction, &account, info, now).await?;
    // The link was sent to this address, or staff gave it to the user.
    accounts::set_email_verified(&transaction, user, now).await?;
    sessions::end_all(&transaction, user, None, EndReason::PasswordChanged, now).await?;
    audit::record(
        &transaction,
        AuditEvent::by_owner(user, AuditEventKind::PasswordReset, info),
        now,
    )
    .await?;
    let not_me =
        links::create(ctx, &transaction, Purpose::NotMe, user, Some(&account.user.email)).await?;
    let content =
        EmailContent::new(EmailKind::PasswordChanged).with_not_me(not_me).about(info, now);
    outbox::enqueue(&transaction, &ctx.keys, &account.recipient(), &content, now).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, request.id = info.request_id, "the password was reset");
    Ok(())
}

/// Returns the account of a valid link.
async fn account(ctx: &Context, token: &Secret) -> Result<Option<Account>, DbError> {
    let link = links::find(&ctx.db, token, ctx.clock.now()).await?;
    let Some(link) = link.filter(|link| link.purpose == Purpose::ResetPassword) else {
        return Ok(None);
    };
    let account = accounts::find_by_id(&ctx.db, link.user).await?;
    Ok(account.filter(|account| account.is_active))
}

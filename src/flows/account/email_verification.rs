//! E-mail verification: an e-mail with a link, and a button that verifies the address.

use std::time::Duration;

use thiserror::Error;

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::config::EmailVerification;
use crate::context::Context;
use crate::db::DbError;
use crate::links;
use crate::links::{LinkError, Purpose};
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::sessions;
use crate::sessions::{AuthError, EndReason};
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::{Email, Language, Password, RequestInfo, Secret, SessionId, UserId};

/// Limits requests from one client network, for any addresses: a school may sign up on one day.
const BY_PLACE: Limit = Limit {
    name: "verify-place",
    free: 50,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(10),
};

/// Why no e-mail was sent.
#[derive(Debug, Error)]
pub enum ResendError {
    /// The site does not verify addresses.
    #[error("no proof is asked for")]
    Disabled,
    /// The address is verified already.
    #[error("the address is proved")]
    AlreadyVerified,
    /// The last e-mail is too recent, or there were enough today.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Sends the link again to a signed-in user.
pub async fn resend(ctx: &Context, user: UserId, info: &RequestInfo) -> Result<(), ResendError> {
    if ctx.settings.email_verification == EmailVerification::None {
        return Err(ResendError::Disabled);
    }
    let account = accounts::find_by_id(&ctx.db, user).await?;
    unverified(account)?;
    accounts::count_verification_email(ctx, user).await?;

    let transaction = ctx.db.begin().await?;
    // Checked again under the lock: the address may have been verified or changed since.
    let account = unverified(accounts::lock(&transaction, user).await?)?;
    accounts::send_verification_email(ctx, &transaction, user, &account.recipient(), info).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, request.id = info.request_id, "verification sent again");
    Ok(())
}

/// Requests the link again, for any address. The answer does not reveal whether it has an account
/// or is verified.
pub async fn request(
    ctx: &Context,
    email: Email,
    language: Language,
    info: &RequestInfo,
) -> Result<(), ThrottleError> {
    if ctx.settings.email_verification == EmailVerification::None {
        return Ok(());
    }
    let now = ctx.clock.now();
    let place = BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()));
    throttle::check_rate_limit(&ctx.db, &[place], now).await?;
    // Written for every address alike: the worker looks the account up, where the time it takes
    // shows nothing (decision 0012).
    let to = Recipient { user: None, email, language };
    let request = EmailContent::new(EmailKind::VerifyEmail).about(info, now);
    let transaction = ctx.db.begin().await?;
    outbox::enqueue(&transaction, &ctx.keys, &to, &request, now).await?;
    transaction.commit().await?;
    tracing::info!(request.id = info.request_id, "the link that proves an address was asked for");
    Ok(())
}

fn unverified(account: Option<Account>) -> Result<Account, ResendError> {
    let account = account.filter(|account| account.user.email_verified_at.is_none());
    account.ok_or(ResendError::AlreadyVerified)
}

/// What a used link was for, if that is still done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletedLink {
    /// The address is verified.
    Verified,
    /// The account was moved to the address.
    Changed,
}

/// Returns what a used link has done; `None` when it has not, or when that was changed since. A
/// user who opens a link twice sees this instead of an error.
pub async fn find_completed(
    ctx: &Context,
    token: &Secret,
) -> Result<Option<CompletedLink>, DbError> {
    let Some(link) = links::find_past(&ctx.db, token).await? else { return Ok(None) };
    let done = match link.purpose {
        Purpose::VerifyEmail => CompletedLink::Verified,
        Purpose::ChangeEmail => CompletedLink::Changed,
        Purpose::Setup | Purpose::ResetPassword | Purpose::UndoEmailChange | Purpose::NotMe => {
            return Ok(None);
        }
    };
    let Some(user) = link.user else { return Ok(None) };
    let account = accounts::find_by_id(&ctx.db, user).await?.filter(|account| account.is_active);
    let is_so = account.zip(link.email).is_some_and(|(account, email)| {
        account.user.email.canonical() == email.canonical()
            && account.user.email_verified_at.is_some()
    });
    Ok(is_so.then_some(done))
}

/// What the user who follows a link has besides the link.
#[derive(Debug, Clone, Default)]
pub struct LinkReader {
    /// The active session of the browser, and its user.
    pub session: Option<(SessionId, UserId)>,
    /// The account's password, as typed.
    pub password: Option<Password>,
}

/// Why a link did not verify the address.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The link does not work.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The password that came with it is not the account's.
    #[error(transparent)]
    NotProved(#[from] AuthError),
}

impl From<DbError> for VerifyError {
    fn from(error: DbError) -> Self {
        Self::Link(error.into())
    }
}

/// What happens to the account's sessions when the link is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEffect {
    /// They stay active, or there are none.
    Keep,
    /// They stay active if the password is given.
    KeepWithPassword,
    /// They end, because the account has no password that could be given.
    End,
}

/// Returns what happens to the sessions of the account when this reader follows the link.
pub async fn session_effect(
    ctx: &Context,
    user: UserId,
    session: Option<(SessionId, UserId)>,
) -> Result<SessionEffect, DbError> {
    let is_signed_in = session.is_some_and(|(_, owner)| owner == user);
    if is_signed_in || !sessions::has_active(ctx, user).await? {
        return Ok(SessionEffect::Keep);
    }
    let account = accounts::find_by_id(&ctx.db, user).await?;
    let has_password = account.is_some_and(|account| account.password_hash.is_some());
    Ok(if has_password { SessionEffect::KeepWithPassword } else { SessionEffect::End })
}

/// Verifies an address by link, and returns how many sessions ended. Sessions stay active if the
/// reader has one of them, or gives the account's password.
pub async fn verify(
    ctx: &Context,
    token: &Secret,
    reader: LinkReader,
    info: &RequestInfo,
) -> Result<usize, VerifyError> {
    let now = ctx.clock.now();
    let link = links::find(&ctx.db, token, now).await?;
    let link = link.filter(|link| link.purpose == Purpose::VerifyEmail);
    let link = link.ok_or(LinkError::Invalid)?;
    let user = link.user;
    let is_signed_in = reader.session.is_some_and(|(_, owner)| owner == user);
    let verified = match (reader.password, &link.email) {
        // Counted like a log-in, so that the link cannot be used to guess passwords.
        (Some(password), Some(email)) if !is_signed_in => {
            Some(sessions::verify_password(ctx, email, password, info).await?)
        }
        _ => None,
    };

    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?.filter(|account| account.is_active);
    let email = account.as_ref().map(|account| account.user.email.canonical());
    let is_about_it = email.is_some() && email == link.email.as_ref().map(Email::canonical);
    // The password may have been changed while it was compared.
    let is_verified =
        account.zip(verified.as_ref()).is_some_and(|(it, verified)| verified.still_matches(&it));
    if verified.is_some() && !is_verified {
        return Err(AuthError::WrongCredentials.into());
    }
    if !is_about_it || !links::consume(&transaction, token, Purpose::VerifyEmail, now).await? {
        return Err(LinkError::Invalid.into());
    }
    accounts::set_email_verified(&transaction, user, now).await?;
    if let Some(verified) = &verified {
        verified.refund_attempt_in(&transaction).await?;
    }
    // The link shows who owns the address, not who signed up with it: an attacker may have, and may
    // still be signed in. All sessions were created with the current password, since a change of it
    // ends the others; so a reader who knows the password created them.
    let over = if is_signed_in || is_verified {
        Vec::new()
    } else {
        sessions::end_all(&transaction, user, None, EndReason::EmailVerified, now).await?
    };
    audit::record(
        &transaction,
        AuditEvent::by_owner(user, AuditEventKind::EmailVerified, info),
        now,
    )
    .await?;
    transaction.commit().await?;
    tracing::info!(
        user.id = user.0,
        request.id = info.request_id,
        sessions.ended = over.len(),
        "the address was proved"
    );
    Ok(over.len())
}

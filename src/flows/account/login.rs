//! Log-in with a password.
//!
//! Every mistake that a stranger can make (the address, the password) costs the same work and gets the
//! same answer. Any other reason for a refusal is revealed only after the right password.

use std::time::Duration;

use thiserror::Error;

use crate::accounts;
use crate::accounts::Account;
use crate::config::EmailVerification;
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::sessions;
use crate::sessions::{AuthError, AuthMethod, Inactive, IssuedTokens, VerifiedPassword};
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::{Email, Password, RequestInfo, SessionId};

/// Limits e-mails about log-ins by one program from one client network to one a day.
const NEW_DEVICE_EMAILS: Limit = Limit {
    // Each program and network counts by itself, so that a log-in of the owner cannot use up the
    // e-mail about a thief's.
    name: "login-letters-program",
    free: 0,
    forgets_one_in: Duration::from_hours(24),
    first_wait: Duration::from_hours(24),
    longest_wait: Duration::from_hours(24),
};

/// Limits e-mails about log-ins to an unverified address to ten, then none for a day.
const UNVERIFIED_EMAILS: Limit = Limit {
    // A user who signed up with a foreign address can log in with any number of programs, and its
    // owner did not ask for e-mails.
    name: "login-letters",
    free: 9,
    forgets_one_in: Duration::from_mins(144),
    first_wait: Duration::from_hours(24),
    longest_wait: Duration::from_hours(24),
};

/// What a user logs in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
}

/// A successful log-in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The session and its tokens.
    pub tokens: IssuedTokens,
    /// Whether the log-in cancelled a pending deletion.
    pub deletion_cancelled: bool,
}

/// Why a log-in failed.
#[derive(Debug, Error)]
pub enum LoginError {
    /// The password is wrong, or there were too many attempts.
    #[error(transparent)]
    NotProved(#[from] AuthError),
    /// The password is right, but the address must be verified first.
    #[error("the address is not proved")]
    Unverified,
    /// The password is right, but the account is inactive.
    #[error("the account may not be used")]
    Inactive(Inactive),
}

impl From<DbError> for LoginError {
    fn from(error: DbError) -> Self {
        Self::NotProved(error.into())
    }
}

/// Logs a user in. Ends the session that the browser had before.
pub async fn with_password(
    ctx: &Context,
    credentials: Credentials,
    before: Option<SessionId>,
    info: &RequestInfo,
) -> Result<Login, LoginError> {
    let Credentials { email, password } = credentials;
    let verified = sessions::verify_password(ctx, &email, password, info).await?;
    let user = verified.account.user.id;
    let must_notify = must_notify(ctx, &verified, info).await?;

    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // The account's state is checked after the password, so that a stranger learns nothing. A password
    // that was changed while it was being compared is answered like a wrong one.
    let hash = verified.hash.as_ref().ok_or(AuthError::WrongCredentials)?;
    let method = AuthMethod::Password(hash);
    let tokens = sessions::create(ctx, &transaction, user, &email, method, info).await?;
    let Some(tokens) = tokens else {
        drop(transaction);
        tracing::info!(user.id = user.0, request.id = info.request_id, "log-in refused");
        if is_unverified(ctx, &verified.account) {
            // A client that repeats the right password is not guessing.
            verified.refund_attempt(ctx).await?;
            resend_verification_email(ctx, &verified, info).await?;
            return Err(LoginError::Unverified);
        }
        // A user who signed up with a foreign address learns nothing about its account, not even that
        // it exists.
        if !must_verify_email(ctx, &verified.account)
            && let Some(inactive) = sessions::why_inactive(ctx, &verified).await?
        {
            return Err(LoginError::Inactive(inactive));
        }
        return Err(AuthError::WrongCredentials.into());
    };
    let deletion_cancelled =
        accounts::record_deletion_cancelled(&transaction, &verified.account, info, now).await?;
    if must_notify {
        send_new_device_email(ctx, &transaction, &verified.account, info).await?;
    }
    verified.refund_attempt_in(&transaction).await?;
    sessions::commit_replacing_session(ctx, transaction, tokens.user, before).await?;
    tracing::info!(
        user.id = user.0, session.id = %tokens.session, request.id = info.request_id,
        "logged in"
    );
    Ok(Login { tokens, deletion_cancelled })
}

/// Returns whether the only reason against a log-in is that the address must be verified first.
fn is_unverified(ctx: &Context, account: &Account) -> bool {
    account.is_active && must_verify_email(ctx, account)
}

fn must_verify_email(ctx: &Context, account: &Account) -> bool {
    ctx.settings.email_verification == EmailVerification::Mandatory
        && account.user.email_verified_at.is_none()
}

/// Returns whether to notify the owner of this log-in: the device is new, and no e-mail was sent
/// today about the same program in the same client network.
async fn must_notify(
    ctx: &Context,
    verified: &VerifiedPassword,
    info: &RequestInfo,
) -> Result<bool, DbError> {
    let account = &verified.account;
    // A log-in that will be refused is not counted, or a user who signed up with a foreign address
    // could use up the e-mails before its owner verifies it.
    if verified.is_known_device || !account.is_active || is_unverified(ctx, account) {
        return Ok(false);
    }
    let user = account.user.id;
    let program = format!("{}\n{}", info.client_network(), info.user_agent);
    // A pseudonym: the throttle keeps no addresses and no user agents.
    let program = format!("{user}:{}", ctx.keys.pseudonym(&program));
    let mut attempts = vec![NEW_DEVICE_EMAILS.on(&program)];
    if account.user.email_verified_at.is_none() {
        attempts.push(UNVERIFIED_EMAILS.on(&user.to_string()));
    }
    is_allowed(throttle::check_rate_limit(&ctx.db, &attempts, ctx.clock.now()).await, info)
}

/// Sends the verification link again to a user who knows the password, as often as the button on My
/// page would.
async fn resend_verification_email(
    ctx: &Context,
    verified: &VerifiedPassword,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let user = verified.account.user.id;
    if !is_allowed(accounts::count_verification_email(ctx, user).await, info)? {
        return Ok(());
    }
    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?;
    // The account may have been deleted or changed since.
    let account = account.filter(|it| verified.still_matches(it) && is_unverified(ctx, it));
    let Some(account) = account else { return Ok(()) };
    accounts::send_verification_email(ctx, &transaction, user, &account.recipient(), info).await?;
    transaction.commit().await
}

fn is_allowed(verdict: Result<(), ThrottleError>, info: &RequestInfo) -> Result<bool, DbError> {
    match verdict {
        Ok(()) => Ok(true),
        Err(ThrottleError::TooSoon(_)) => {
            tracing::info!(request.id = info.request_id, "no e-mail: there were enough");
            Ok(false)
        }
        Err(ThrottleError::Database(error)) => Err(error),
    }
}

/// Notifies the owner of a log-in on a device that the account does not know.
async fn send_new_device_email(
    ctx: &Context,
    transaction: &Transaction,
    account: &Account,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let not_me =
        links::create(ctx, transaction, Purpose::NotMe, account.user.id, Some(&account.user.email))
            .await?;
    let content = EmailContent::new(EmailKind::NewDevice).with_not_me(not_me).about(info, now);
    outbox::enqueue(transaction, &ctx.keys, &account.recipient(), &content, now).await
}

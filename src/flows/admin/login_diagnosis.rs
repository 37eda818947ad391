//! Why a user cannot log in, as far as the program knows.
//!
//! For administrators only: a visitor gets the same answer whatever the reason is.

use std::time::Duration;

use time::OffsetDateTime;

use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEventKind, RecordedEvent};
use crate::config::EmailVerification;
use crate::context::Context;
use crate::db::DbError;
use crate::sessions;
use crate::social;
use crate::throttle;

/// The number of failed log-ins that are read.
const LAST: u64 = 5;

/// The first reason why a user cannot log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginDiagnosis {
    /// Staff deleted the account; until this instant the deletion can be undone.
    Deleted(OffsetDateTime),
    /// Staff suspended the account, perhaps until an instant.
    Suspended(Option<OffsetDateTime>),
    /// The address must be verified first.
    Unverified,
    /// The account has no password.
    NoPassword,
    /// The account has no password and is connected to these providers.
    SocialLoginOnly(Vec<String>),
    /// Too many attempts: unknown devices must wait this long.
    RateLimited(Duration),
    /// Too many wrong passwords in a row: unknown devices need a new password.
    LockedOut,
    /// Only wrong passwords: their number since the last log-in, and the last of them.
    WrongPassword(usize, OffsetDateTime),
    /// None, and the owner scheduled the deletion for this instant; logging in cancels it.
    DeletionPending(OffsetDateTime),
    /// None.
    NoProblem,
}

/// Returns the first reason why the user cannot log in, and the latest failed log-ins.
pub async fn diagnose(
    ctx: &Context,
    account: &Account,
) -> Result<(LoginDiagnosis, Vec<RecordedEvent>), DbError> {
    let user = account.user.id;
    let failures = audit::list_latest(&ctx.db, user, AuditEventKind::LoginFailed, LAST).await?;
    let providers = social::list_login_methods(ctx, user).await?;
    let retry_after = sessions::retry_after(ctx, &account.user.email).await?;
    Ok((diagnose_account(ctx, account, retry_after, providers, &failures), failures))
}

fn diagnose_account(
    ctx: &Context,
    account: &Account,
    retry_after: Option<Duration>,
    providers: Vec<String>,
    failures: &[RecordedEvent],
) -> LoginDiagnosis {
    // The next log-in ends a suspension that is over, also before the worker does.
    let is_over = account.inactive_until.is_some_and(|until| until <= ctx.clock.now());
    if !account.is_active && !is_over {
        return match account.deletes_at {
            Some(at) => LoginDiagnosis::Deleted(at),
            None => LoginDiagnosis::Suspended(account.inactive_until),
        };
    }
    let must_be_verified = ctx.settings.email_verification == EmailVerification::Mandatory;
    if must_be_verified && account.user.email_verified_at.is_none() {
        return LoginDiagnosis::Unverified;
    }
    if account.password_hash.is_none() {
        return if providers.is_empty() {
            LoginDiagnosis::NoPassword
        } else {
            LoginDiagnosis::SocialLoginOnly(providers)
        };
    }
    match retry_after {
        Some(throttle::CLOSED) => return LoginDiagnosis::LockedOut,
        Some(wait) => return LoginDiagnosis::RateLimited(wait),
        None => {}
    }
    let since =
        |failure: &&RecordedEvent| account.last_login_at.is_none_or(|last| failure.at > last);
    let wrong = failures.iter().filter(since).count();
    match (failures.first(), account.deletes_at) {
        (Some(last), _) if wrong > 0 => LoginDiagnosis::WrongPassword(wrong, last.at),
        (_, Some(at)) => LoginDiagnosis::DeletionPending(at),
        (_, None) => LoginDiagnosis::NoProblem,
    }
}

//! Why somebody cannot log in, as far as the house knows. For staff only: a stranger is told one
//! sentence whatever the reason.

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

/// Failures that are looked at.
const LAST: u64 = 5;

/// The first thing that stands between a person and a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginDiagnosis {
    /// Staff deleted the account; until then it can be brought back.
    Deleted(OffsetDateTime),
    /// Staff forbade its use, perhaps until an instant.
    Suspended(Option<OffsetDateTime>),
    /// The address must be proved first.
    Unverified,
    /// There is no password to log in with.
    NoPassword,
    /// There is no password, and these providers let the person in.
    SocialLoginOnly(Vec<String>),
    /// Too many tries: strangers' devices wait for this long.
    RateLimited(Duration),
    /// Too many wrong passwords in a row: strangers' devices need a new password.
    LockedOut,
    /// Nothing but wrong passwords: so many since the last log-in, the last of them then.
    WrongPassword(usize, OffsetDateTime),
    /// None, but the owner wants the account deleted then; logging in takes that back.
    DeletionPending(OffsetDateTime),
    /// None.
    NoProblem,
}

/// Looks for what stands in the way of an account's person; also gives the last failures.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn diagnose(
    ctx: &Context,
    account: &Account,
) -> Result<(LoginDiagnosis, Vec<RecordedEvent>), DbError> {
    let user = account.user.id;
    let failures = audit::list_latest(&ctx.db, user, AuditEventKind::LoginFailed, LAST).await?;
    let ways = social::list_login_methods(ctx, user).await?;
    let waiting = sessions::retry_after(ctx, &account.user.email).await?;
    Ok((diagnose_account(ctx, account, (waiting, ways), &failures), failures))
}

fn diagnose_account(
    ctx: &Context,
    account: &Account,
    (waiting, ways): (Option<Duration>, Vec<String>),
    failures: &[RecordedEvent],
) -> LoginDiagnosis {
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
        return if ways.is_empty() {
            LoginDiagnosis::NoPassword
        } else {
            LoginDiagnosis::SocialLoginOnly(ways)
        };
    }
    match waiting {
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
        _ => LoginDiagnosis::NoProblem,
    }
}

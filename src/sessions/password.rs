//! Verifies passwords: the one place where a password is compared, for any purpose.
//!
//! Log-in, password change and reauthentication share their rate limits, so a guesser gains nothing
//! by using another form. An unknown address and a wrong password cost the same work and get the
//! same answer.

use time::OffsetDateTime;

use super::attempts::{AuthError, count_attempt};
use crate::accounts;
use crate::accounts::{Account, VerifiedHash};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::crypto::PasswordHash;
use crate::db::{DbError, Transaction};
use crate::throttle;
use crate::throttle::Attempt;
use crate::types::{Email, Password, RequestInfo, User, UserId};

/// The proof that a password matches.
#[derive(Debug, Clone)]
pub struct VerifiedPassword {
    /// The account as it was before the comparison. Whether it is active has not been checked.
    pub account: Account,
    /// The hash that the password matches; `None` for users without a password.
    pub hash: Option<VerifiedHash>,
    /// Whether the account was logged in on this device before.
    pub is_known_device: bool,
    attempts: Vec<Attempt>,
}

impl VerifiedPassword {
    /// Refunds the rate-limit attempt in a transaction, because the password was right.
    pub async fn refund_attempt_in(&self, transaction: &Transaction) -> Result<(), DbError> {
        throttle::refund(transaction, &self.attempts).await
    }

    /// Refunds the rate-limit attempt in a transaction of its own: the password was right, and
    /// something else failed.
    pub async fn refund_attempt(&self, ctx: &Context) -> Result<(), DbError> {
        let transaction = ctx.db.begin().await?;
        self.refund_attempt_in(&transaction).await?;
        transaction.commit().await
    }

    /// Returns whether a freshly read account is active and still has the verified password.
    #[must_use]
    pub fn still_matches(&self, account: &Account) -> bool {
        account.is_active && self.has_password_of(account)
    }

    fn has_password_of(&self, account: &Account) -> bool {
        // The stored strings are equal only if the hash was not replaced: each has a salt of its
        // own.
        let stored = account.password_hash.as_ref().map(PasswordHash::as_str);
        let proved = self.hash.as_ref().map(|hash| hash.stored.as_str());
        stored == proved
    }
}

/// Why an account is inactive, as far as its owner may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// Staff suspended it, perhaps until an instant.
    Suspended(Option<OffsetDateTime>),
    /// Staff deleted it; until this instant they can restore it.
    Deleted(OffsetDateTime),
}

impl Inactive {
    /// Returns why this account is inactive; `None` if it is active, or if its suspension is over.
    #[must_use]
    pub fn of(account: &Account, now: OffsetDateTime) -> Option<Self> {
        match (account.is_active, account.deletes_at, account.inactive_until) {
            (true, ..) => None,
            (false, Some(at), _) => Some(Self::Deleted(at)),
            // The log-in itself ends a suspension that is over.
            (false, None, Some(until)) if until <= now => None,
            (false, None, until) => Some(Self::Suspended(until)),
        }
    }
}

/// Compares a password with the stored hash. The caller refunds the attempt when it uses the
/// result.
pub async fn verify_password(
    ctx: &Context,
    email: &Email,
    password: Password,
    info: &RequestInfo,
) -> Result<VerifiedPassword, AuthError> {
    // Before the comparison, so that parallel guesses are all counted.
    let (attempts, is_known_device) = count_attempt(ctx, email, info).await?;
    let account = accounts::find_by_email(&ctx.db, email).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    // Without an account, a dummy hash costs the same work.
    let verdict = ctx.hasher.verify(password.clone(), stored.clone()).await?;
    let (Some(account), Some(stored), true) = (account.as_ref(), stored, verdict.is_correct) else {
        // An imported hash takes more or less time than ours; the rest is done for every wrong
        // password.
        let kinds = accounts::hash_kinds(ctx).await?;
        let stored = account.as_ref().and_then(|account| account.password_hash.clone());
        ctx.hasher.equalize_work(password, stored, kinds).await?;
        record_failure(ctx, account.map(|account| account.user.id), info);
        return Err(AuthError::WrongCredentials);
    };
    // The one moment at which the password is known and its hash can be made at today's cost.
    let current =
        if verdict.is_outdated { ctx.hasher.hash(password).await? } else { stored.clone() };
    Ok(VerifiedPassword {
        account: account.clone(),
        hash: Some(VerifiedHash { stored, current }),
        is_known_device,
        attempts,
    })
}

/// Returns why the account is inactive, for a user who has just given the right password; `None` if
/// it is active, or has another password by now. Refunds the attempt.
pub async fn why_inactive(
    ctx: &Context,
    proved: &VerifiedPassword,
) -> Result<Option<Inactive>, DbError> {
    let account = accounts::find_by_id(&ctx.db, proved.account.user.id).await?;
    // The reason is shown for the right password only, and it may have been replaced meanwhile.
    let account = account.filter(|account| proved.has_password_of(account));
    let now = ctx.clock.now();
    let inactive = account.as_ref().and_then(|account| Inactive::of(account, now));
    let Some(inactive) = inactive else { return Ok(None) };
    proved.refund_attempt(ctx).await?;
    Ok(Some(inactive))
}

/// Verifies the password of a signed-in user. For a user without a password (`None`), the caller
/// has checked another proof.
pub async fn reauthenticate(
    ctx: &Context,
    user: &User,
    password: Option<Password>,
    info: &RequestInfo,
) -> Result<VerifiedPassword, AuthError> {
    match password {
        Some(password) => verify_password(ctx, &user.email, password, info).await,
        None => account_without_password(ctx, user.id).await,
    }
}

async fn account_without_password(
    ctx: &Context,
    user: UserId,
) -> Result<VerifiedPassword, AuthError> {
    let account = accounts::find_by_id(&ctx.db, user).await?;
    let account = account.filter(|account| account.password_hash.is_none());
    let account = account.ok_or(AuthError::WrongCredentials)?;
    Ok(VerifiedPassword { account, hash: None, is_known_device: true, attempts: Vec::new() })
}

/// Records the failure in the user's audit log, after the response.
fn record_failure(ctx: &Context, user: Option<UserId>, info: &RequestInfo) {
    let id = info.request_id.as_str();
    match user {
        Some(user) => {
            tracing::info!(
                user.id = user.0,
                request.id = id,
                "password refused: wrong credentials"
            );
        }
        None => tracing::info!(request.id = id, "password refused: wrong credentials"),
    }
    let (ctx, info) = (ctx.clone(), info.clone());
    tokio::spawn(async move {
        let now = ctx.clock.now();
        let written: Result<(), DbError> = async {
            let transaction = ctx.db.begin().await?;
            match user {
                Some(user) => {
                    let event = AuditEvent::on_user(user, AuditEventKind::LoginFailed, &info);
                    audit::record(&transaction, event, now).await?;
                }
                // Also for an unknown address, into a fixed number of rows: a write for known
                // addresses only would show in the time of the next request.
                None => {
                    let [any] = ctx.random.bytes::<1>();
                    audit::record_unknown_failure(&transaction, any, &info, now).await?;
                }
            }
            transaction.commit().await
        }
        .await;
        if let Err(error) = written {
            tracing::error!(%error, "a failed log-in could not be recorded");
        }
    });
}

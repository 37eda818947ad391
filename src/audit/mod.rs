//! The trail: what happened, to whom, by whom and from where.
//!
//! An event is written in the transaction of what it tells, so that neither exists without the
//! other. Knows no accounts and no sessions, only their numbers: the trail outlives them.

mod store;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::db::{DbError, Transaction};
use crate::types::{Caller, SessionId, UserId};

/// What can happen. The names are stored; they are added to and never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Somebody joined.
    SignedUp,
    /// Somebody logged in.
    LoggedIn,
    /// Somebody gave a wrong password for an account that exists.
    LogInFailed,
    /// Somebody logged out.
    LoggedOut,
    /// A refresh token came back after it had been replaced: somebody has a copy.
    TokenReused,
    /// The first superuser was made, by the link or at the terminal.
    SuperuserMade,
    /// A password was set at the terminal.
    PasswordSet,
    /// The address was proved.
    EmailVerified,
    /// The owner changed the password, knowing the old one.
    PasswordChanged,
    /// Somebody asked for a link to choose a new password.
    ResetAsked,
    /// The password was replaced by way of such a link.
    PasswordReset,
    /// The owner asked to move the account to another address.
    EmailChangeAsked,
    /// The account moved to another address.
    EmailChanged,
    /// The account moved back to the address that it had.
    EmailChangeUndone,
    /// The owner said of something that it was not them.
    NotMe,
    /// The owner changed what the account says about them.
    ProfileChanged,
    /// The owner proved once more to be it, on the way to something dangerous.
    ProvedAgain,
    /// The owner took out everything that is held on them.
    Exported,
    /// The owner wants the account deleted.
    DeletionScheduled,
    /// The owner logged in, and the account stays.
    DeletionCancelled,
    /// The account was deleted.
    Deleted,
}

impl Action {
    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "signup",
            Self::LoggedIn => "login",
            Self::LogInFailed => "login_failed",
            Self::LoggedOut => "logout",
            Self::TokenReused => "token_reused",
            Self::SuperuserMade => "superuser_made",
            Self::PasswordSet => "password_set",
            Self::EmailVerified => "email_verified",
            Self::PasswordChanged => "password_changed",
            Self::ResetAsked => "reset_asked",
            Self::PasswordReset => "password_reset",
            Self::EmailChangeAsked => "email_change_asked",
            Self::EmailChanged => "email_changed",
            Self::EmailChangeUndone => "email_change_undone",
            Self::NotMe => "not_me",
            Self::ProfileChanged => "profile_changed",
            Self::ProvedAgain => "proved_again",
            Self::Exported => "exported",
            Self::DeletionScheduled => "deletion_scheduled",
            Self::DeletionCancelled => "deletion_cancelled",
            Self::Deleted => "deleted",
        }
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// What happened.
    pub action: Action,
    /// Who did it; `None` for strangers and for the terminal.
    pub actor: Option<UserId>,
    /// Whose account it happened to.
    pub target: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// From where.
    pub caller: &'a Caller,
    /// More facts, never secrets.
    pub details: Value,
}

impl<'a> Event<'a> {
    /// An event that people cause on their own accounts.
    #[must_use]
    pub fn by(person: UserId, action: Action, caller: &'a Caller) -> Self {
        let person = Some(person);
        Self { action, actor: person, target: person, session: None, caller, details: json!({}) }
    }

    /// An event on an account whose cause is not known to be its owner.
    #[must_use]
    pub fn on(target: UserId, action: Action, caller: &'a Caller) -> Self {
        Self { actor: None, ..Self::by(target, action, caller) }
    }

    /// With more facts, never secrets.
    #[must_use]
    pub fn with(self, details: Value) -> Self {
        Self { details, ..self }
    }

    /// In this session.
    #[must_use]
    pub fn in_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }
}

/// How long failed log-ins are kept: strangers cause them, so they must not pile up.
const KEEP_FAILURES: time::Duration = time::Duration::days(90);

/// Writes an event beside what it tells.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn record(
    transaction: &Transaction,
    event: Event<'_>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::insert(transaction, event, now).await
}

/// Takes what is personal out of every event that a person did or suffered: addresses, programs and
/// details. That it happened stays.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn forget(transaction: &Transaction, person: UserId) -> Result<(), DbError> {
    store::update_forgotten(transaction, person).await
}

/// Deletes up to `at_most` failed log-ins that are long past; tells how many. Everything else stays.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_before(transaction, Action::LogInFailed, now - KEEP_FAILURES, at_most).await
}

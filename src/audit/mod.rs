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

//! The audit log: what happened, to which account, who did it and from where.
//!
//! An event is written in the transaction of what it reports, so neither exists without the other.
//! Does not read accounts or sessions and knows only their ids, because the log outlives them.

mod store;

use serde_json::{Value, json};
use time::OffsetDateTime;

pub use store::{
    anonymize, count_by_day, count_since, export, list_latest, list_of_user, record, search,
};

use crate::clock::to_micros;
use crate::db::{DbError, Transaction};
use crate::types::stored_enum;
use crate::types::{RequestInfo, SessionId, UserId};

stored_enum! {
    /// The kind of an event. The names are stored: kinds are added, and their names never change.
    pub enum AuditEventKind {
        /// A user signed up.
        SignedUp = "signup",
        /// A user logged in.
        LoggedIn = "login",
        /// A wrong password was given for an account that exists.
        LoginFailed = "login_failed",
        /// A user logged out.
        LoggedOut = "logout",
        /// A replaced refresh token was used again, which means that a copy exists.
        TokenReused = "token_reused",
        /// The first superuser was created, by the setup link or at the terminal.
        SuperuserCreated = "superuser_made",
        /// A password was set at the terminal.
        PasswordSet = "password_set",
        /// The address was verified.
        EmailVerified = "email_verified",
        /// The owner changed the password, with the current one.
        PasswordChanged = "password_changed",
        /// A link for a new password was requested.
        PasswordResetRequested = "reset_asked",
        /// The password was replaced through such a link.
        PasswordReset = "password_reset",
        /// The owner asked to move the account to another address.
        EmailChangeRequested = "email_change_asked",
        /// The account moved to another address.
        EmailChanged = "email_changed",
        /// The account moved back to its former address.
        EmailChangeUndone = "email_change_undone",
        /// The owner reported that an action was not theirs.
        CompromiseReported = "not_me",
        /// The owner changed the profile.
        ProfileChanged = "profile_changed",
        /// The owner authenticated again for a dangerous action.
        Reauthenticated = "proved_again",
        /// The owner scheduled the deletion of the account.
        DeletionScheduled = "deletion_scheduled",
        /// The owner logged in, which cancelled the deletion.
        DeletionCancelled = "deletion_cancelled",
        /// The account was deleted.
        Deleted = "deleted",
        /// Staff activated the account.
        Activated = "activated",
        /// Staff suspended the account.
        Deactivated = "deactivated",
        /// Staff deleted the account; for a day the deletion can be undone.
        DeletedByStaff = "deletion_by_staff",
        /// Staff undid a bulk job, and the account was restored.
        UndoneByStaff = "undone_by_staff",
        /// Staff marked the address as verified.
        VerifiedByStaff = "verified_by_staff",
        /// Staff ended the sessions.
        SessionsEndedByStaff = "sessions_ended_by_staff",
        /// Staff created a link for a new password.
        ResetLinkCreated = "reset_link_made",
        /// Staff made the password unusable.
        PasswordLocked = "password_locked",
        /// Staff created the account.
        CreatedByStaff = "added_by_staff",
        /// Staff changed the account or its roles.
        ChangedByStaff = "changed_by_staff",
        /// A suspension ended by itself.
        SuspensionExpired = "suspension_over",
        /// Staff created a group.
        GroupCreated = "group_made",
        /// Staff changed a group.
        GroupChanged = "group_changed",
        /// Staff deleted a group.
        GroupDeleted = "group_deleted",
        /// Staff had an e-mail sent again at once.
        EmailRetried = "letter_retried",
        /// A user ended one of their sessions.
        SessionEnded = "session_ended",
        /// A user ended all their sessions except the current one.
        OtherSessionsEnded = "other_sessions_ended",
        /// The next signing key was created.
        KeyRotated = "key_rotated",
        /// A social account was connected.
        SocialConnected = "social_connected",
        /// A social account was disconnected.
        SocialDisconnected = "social_disconnected",
        /// Staff registered a social log-in provider.
        ProviderAdded = "provider_added",
        /// Staff changed a provider's registration.
        ProviderChanged = "provider_changed",
        /// Staff deleted a provider's registration.
        ProviderDeleted = "provider_deleted",
    }
}

/// An event to be written.
#[derive(Debug, Clone)]
pub struct AuditEvent<'a> {
    /// What happened.
    pub kind: AuditEventKind,
    /// The user who did it; `None` for visitors and for the terminal.
    pub actor: Option<UserId>,
    /// The user whose account it happened to.
    pub target: Option<UserId>,
    /// The session in which it happened.
    pub session: Option<SessionId>,
    /// The request that caused it.
    pub info: &'a RequestInfo,
    /// More facts; never secrets.
    pub details: Value,
}

impl<'a> AuditEvent<'a> {
    /// Builds an event that a user causes on their own account.
    #[must_use]
    pub fn by_owner(user: UserId, kind: AuditEventKind, info: &'a RequestInfo) -> Self {
        let user = Some(user);
        Self { kind, actor: user, target: user, session: None, info, details: json!({}) }
    }

    /// Builds an event on an account whose cause is not known to be its owner.
    #[must_use]
    pub fn on_user(target: UserId, kind: AuditEventKind, info: &'a RequestInfo) -> Self {
        Self { actor: None, ..Self::by_owner(target, kind, info) }
    }

    /// Builds an event that concerns the site and no account.
    #[must_use]
    pub fn on_site(kind: AuditEventKind, info: &'a RequestInfo) -> Self {
        Self { kind, actor: None, target: None, session: None, info, details: json!({}) }
    }

    /// Names the administrator who did it.
    #[must_use]
    pub fn by_staff(self, actor: UserId) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// Adds more facts; never secrets.
    #[must_use]
    pub fn with_details(self, details: Value) -> Self {
        Self { details, ..self }
    }

    /// Adds the session.
    #[must_use]
    pub fn in_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }
}

/// An event as it is read from the log.
#[derive(Debug, Clone)]
pub struct RecordedEvent {
    /// The id.
    pub id: i64,
    /// When it happened.
    pub at: OffsetDateTime,
    /// What happened; `None` for a kind that only another version knows.
    pub kind: Option<AuditEventKind>,
    /// The user who did it.
    pub actor: Option<UserId>,
    /// The user whose account it happened to.
    pub target: Option<UserId>,
    /// The stored name of the kind.
    pub name: String,
    /// The session in which it happened.
    pub session: Option<String>,
    /// The request that caused it.
    pub request_id: String,
    /// The client address; empty at the terminal.
    pub ip: String,
    /// The user agent.
    pub user_agent: String,
    /// More facts.
    pub details: Value,
}

/// An event for an export, with its details as they are stored.
#[derive(Debug, Clone)]
pub struct ExportedEvent {
    /// The id.
    pub id: i64,
    /// When it happened.
    pub at: OffsetDateTime,
    /// The stored name of the kind.
    pub name: String,
    /// The user who did it.
    pub actor: Option<UserId>,
    /// The user whose account it happened to.
    pub target: Option<UserId>,
    /// The client address; empty at the terminal.
    pub ip: String,
    /// The user agent.
    pub user_agent: String,
    /// More facts, as JSON.
    pub details: String,
}

impl ExportedEvent {
    /// Returns the position of the event in the log.
    #[must_use]
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor(to_micros(self.at), self.id)
    }
}

/// A search in the log; `None` matches everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditSearch {
    /// The user who did it.
    pub actor: Option<UserId>,
    /// The user whose account it happened to.
    pub target: Option<UserId>,
    /// What happened.
    pub kind: Option<AuditEventKind>,
    /// The first instant that matches.
    pub from: Option<OffsetDateTime>,
    /// The first instant that no longer matches.
    pub to: Option<OffsetDateTime>,
}

/// A position in the log, written as `microseconds.id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCursor(i64, i64);

impl AuditCursor {
    /// Reads what [`Display`](std::fmt::Display) wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
        Some(Self(number(at)?, number(id)?))
    }
}

impl std::fmt::Display for AuditCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl RecordedEvent {
    /// Returns the position of the event in the log.
    #[must_use]
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor(to_micros(self.at), self.id)
    }
}

/// How long failed log-ins are kept. Visitors cause them, so they are not kept for ever.
const KEEP_FAILURES: time::Duration = time::Duration::days(90);

/// How many rows failed log-ins at unknown addresses overwrite: enough that two of them seldom wait
/// for each other.
const UNKNOWN_FAILURES: u8 = 64;

/// Writes as much for a failed log-in at an unknown address as [`record`] writes for one at a known
/// address, so that the time of the next request does not tell them apart. Overwrites one of a few
/// rows, chosen by `any`, and adds nothing to the log.
pub async fn record_unknown_failure(
    transaction: &Transaction,
    any: u8,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::upsert_unknown_failure(transaction, any % UNKNOWN_FAILURES, info, now).await
}

/// Deletes up to `at_most` old failed log-ins and returns their number. All other events stay.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_before(transaction, AuditEventKind::LoginFailed, now - KEEP_FAILURES, at_most)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back_as_it_was_written() {
        for kind in AuditEventKind::ALL {
            assert_eq!(AuditEventKind::from_stored(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_name_of_another_version_is_no_kind() {
        for name in ["", "Login", "login ", "flown_to_the_moon"] {
            assert_eq!(AuditEventKind::from_stored(name), None, "{name:?}");
        }
    }
}

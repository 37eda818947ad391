//! The trail: what happened, to whom, by whom and from where.
//!
//! An event is written in the transaction of what it tells, so that neither exists without the
//! other. Knows no accounts and no sessions, only their numbers: the trail outlives them.

mod store;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::clock::to_micros;
use crate::db::{Db, DbError, Transaction};
use crate::types::{RequestInfo, SessionId, UserId};

/// What can happen. The names are stored; they are added to and never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditEventKind {
    /// Somebody joined.
    SignedUp,
    /// Somebody logged in.
    LoggedIn,
    /// Somebody gave a wrong password for an account that exists.
    LoginFailed,
    /// Somebody logged out.
    LoggedOut,
    /// A refresh token came back after it had been replaced: somebody has a copy.
    TokenReused,
    /// The first superuser was made, by the link or at the terminal.
    SuperuserCreated,
    /// A password was set at the terminal.
    PasswordSet,
    /// The address was proved.
    EmailVerified,
    /// The owner changed the password, knowing the old one.
    PasswordChanged,
    /// Somebody asked for a link to choose a new password.
    PasswordResetRequested,
    /// The password was replaced by way of such a link.
    PasswordReset,
    /// The owner asked to move the account to another address.
    EmailChangeRequested,
    /// The account moved to another address.
    EmailChanged,
    /// The account moved back to the address that it had.
    EmailChangeUndone,
    /// The owner said of something that it was not them.
    CompromiseReported,
    /// The owner changed what the account says about them.
    ProfileChanged,
    /// The owner proved once more to be it, on the way to something dangerous.
    Reauthenticated,
    /// The owner wants the account deleted.
    DeletionScheduled,
    /// The owner logged in, and the account stays.
    DeletionCancelled,
    /// The account was deleted.
    Deleted,
    /// Staff let the account be used again.
    Activated,
    /// Staff forbade the use of the account.
    Deactivated,
    /// Staff deleted the account; for a day it can be brought back.
    DeletedByStaff,
    /// Staff took back what was done to many accounts.
    UndoneByStaff,
    /// Staff took the address for proved.
    VerifiedByStaff,
    /// Staff ended the sessions.
    SessionsEndedByStaff,
    /// Staff made a link for a new password.
    ResetLinkCreated,
    /// Staff made the password stop working.
    PasswordLocked,
    /// Staff made the account.
    CreatedByStaff,
    /// Staff changed what the account says or may do.
    ChangedByStaff,
    /// The account may be used again, because its suspension was over.
    SuspensionExpired,
    /// Staff made a group.
    GroupCreated,
    /// Staff changed a group.
    GroupChanged,
    /// Staff deleted a group.
    GroupDeleted,
    /// Staff had an e-mail tried again at once.
    EmailRetried,
    /// Somebody ended one of their sessions from the list.
    SessionEnded,
    /// Somebody ended all their sessions but the one they were in.
    OtherSessionsEnded,
    /// The next signing key was made.
    KeyRotated,
    /// A user of a provider opens the account from now on.
    SocialConnected,
    /// A user of a provider does not open the account any more.
    SocialDisconnected,
    /// Staff registered a provider of social log-in.
    ProviderAdded,
    /// Staff changed the registration with a provider.
    ProviderChanged,
    /// Staff ended the registration with a provider.
    ProviderDeleted,
}

impl AuditEventKind {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::SignedUp,
        Self::LoggedIn,
        Self::LoginFailed,
        Self::LoggedOut,
        Self::TokenReused,
        Self::SuperuserCreated,
        Self::PasswordSet,
        Self::EmailVerified,
        Self::PasswordChanged,
        Self::PasswordResetRequested,
        Self::PasswordReset,
        Self::EmailChangeRequested,
        Self::EmailChanged,
        Self::EmailChangeUndone,
        Self::CompromiseReported,
        Self::ProfileChanged,
        Self::Reauthenticated,
        Self::DeletionScheduled,
        Self::DeletionCancelled,
        Self::Deleted,
        Self::Activated,
        Self::Deactivated,
        Self::DeletedByStaff,
        Self::UndoneByStaff,
        Self::VerifiedByStaff,
        Self::SessionsEndedByStaff,
        Self::ResetLinkCreated,
        Self::PasswordLocked,
        Self::CreatedByStaff,
        Self::ChangedByStaff,
        Self::SuspensionExpired,
        Self::GroupCreated,
        Self::GroupChanged,
        Self::GroupDeleted,
        Self::EmailRetried,
        Self::SessionEnded,
        Self::OtherSessionsEnded,
        Self::KeyRotated,
        Self::SocialConnected,
        Self::SocialDisconnected,
        Self::ProviderAdded,
        Self::ProviderChanged,
        Self::ProviderDeleted,
    ];

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "signup",
            Self::LoggedIn => "login",
            Self::LoginFailed => "login_failed",
            Self::LoggedOut => "logout",
            Self::TokenReused => "token_reused",
            Self::SuperuserCreated => "superuser_made",
            Self::PasswordSet => "password_set",
            Self::EmailVerified => "email_verified",
            Self::PasswordChanged => "password_changed",
            Self::PasswordResetRequested => "reset_asked",
            Self::PasswordReset => "password_reset",
            Self::EmailChangeRequested => "email_change_asked",
            Self::EmailChanged => "email_changed",
            Self::EmailChangeUndone => "email_change_undone",
            Self::CompromiseReported => "not_me",
            Self::ProfileChanged => "profile_changed",
            Self::Reauthenticated => "proved_again",
            Self::DeletionScheduled => "deletion_scheduled",
            Self::DeletionCancelled => "deletion_cancelled",
            Self::Deleted => "deleted",
            Self::Activated => "activated",
            Self::Deactivated => "deactivated",
            Self::DeletedByStaff => "deletion_by_staff",
            Self::UndoneByStaff => "undone_by_staff",
            Self::VerifiedByStaff => "verified_by_staff",
            Self::SessionsEndedByStaff => "sessions_ended_by_staff",
            Self::ResetLinkCreated => "reset_link_made",
            Self::PasswordLocked => "password_locked",
            Self::CreatedByStaff => "added_by_staff",
            Self::ChangedByStaff => "changed_by_staff",
            Self::SuspensionExpired => "suspension_over",
            Self::GroupCreated => "group_made",
            Self::GroupChanged => "group_changed",
            Self::GroupDeleted => "group_deleted",
            Self::EmailRetried => "letter_retried",
            Self::SessionEnded => "session_ended",
            Self::OtherSessionsEnded => "other_sessions_ended",
            Self::KeyRotated => "key_rotated",
            Self::SocialConnected => "social_connected",
            Self::SocialDisconnected => "social_disconnected",
            Self::ProviderAdded => "provider_added",
            Self::ProviderChanged => "provider_changed",
            Self::ProviderDeleted => "provider_deleted",
        }
    }

    /// The action of a stored name; `None` for a name of another version.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// One event.
#[derive(Debug, Clone)]
pub struct AuditEvent<'a> {
    /// What happened.
    pub kind: AuditEventKind,
    /// Who did it; `None` for strangers and for the terminal.
    pub actor: Option<UserId>,
    /// Whose account it happened to.
    pub target: Option<UserId>,
    /// In which session.
    pub session: Option<SessionId>,
    /// From where.
    pub info: &'a RequestInfo,
    /// More facts, never secrets.
    pub details: Value,
}

impl<'a> AuditEvent<'a> {
    /// An event that people cause on their own accounts.
    #[must_use]
    pub fn by_owner(user: UserId, kind: AuditEventKind, info: &'a RequestInfo) -> Self {
        let user = Some(user);
        Self { kind, actor: user, target: user, session: None, info, details: json!({}) }
    }

    /// An event on an account whose cause is not known to be its owner.
    #[must_use]
    pub fn on_user(target: UserId, kind: AuditEventKind, info: &'a RequestInfo) -> Self {
        Self { actor: None, ..Self::by_owner(target, kind, info) }
    }

    /// An event that happens to the site and to nobody's account.
    #[must_use]
    pub fn on_site(kind: AuditEventKind, info: &'a RequestInfo) -> Self {
        Self { kind, actor: None, target: None, session: None, info, details: json!({}) }
    }

    /// Done by this member of staff.
    #[must_use]
    pub fn by_staff(self, actor: UserId) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// With more facts, never secrets.
    #[must_use]
    pub fn with_details(self, details: Value) -> Self {
        Self { details, ..self }
    }

    /// In this session.
    #[must_use]
    pub fn in_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }
}

/// An event as it is read again.
#[derive(Debug, Clone)]
pub struct RecordedEvent {
    /// Its cursor in the trail.
    pub id: i64,
    /// When it happened.
    pub at: OffsetDateTime,
    /// What happened; `None` when another version of the program wrote it.
    pub kind: Option<AuditEventKind>,
    /// Who did it.
    pub actor: Option<UserId>,
    /// Whose account it happened to.
    pub target: Option<UserId>,
    /// The stored name of what happened.
    pub name: String,
    /// In which session.
    pub session: Option<String>,
    /// In answer to which request.
    pub request_id: String,
    /// From which address; empty at the terminal.
    pub ip: String,
    /// What the browser called itself.
    pub user_agent: String,
    /// More facts.
    pub details: Value,
}

/// An event as a file has it, with its details as they are stored.
#[derive(Debug, Clone)]
pub struct ExportedEvent {
    /// Its cursor in the trail.
    pub id: i64,
    /// When it happened.
    pub at: OffsetDateTime,
    /// The stored name of what happened.
    pub name: String,
    /// Who did it.
    pub actor: Option<UserId>,
    /// Whose account it happened to.
    pub target: Option<UserId>,
    /// From which address; empty at the terminal.
    pub ip: String,
    /// What the browser called itself.
    pub user_agent: String,
    /// More facts, as JSON.
    pub details: String,
}

impl ExportedEvent {
    /// Where it stands in the trail.
    #[must_use]
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor(to_micros(self.at), self.id)
    }
}

/// What is looked for in the trail; what is `None` may be anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditSearch {
    /// Who did it.
    pub actor: Option<UserId>,
    /// Whose account it happened to.
    pub target: Option<UserId>,
    /// What happened.
    pub kind: Option<AuditEventKind>,
    /// Not before this instant.
    pub from: Option<OffsetDateTime>,
    /// Before this instant.
    pub to: Option<OffsetDateTime>,
}

/// A cursor in the trail, written as `microseconds.number`.
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
    /// Where it stands in the trail.
    #[must_use]
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor(to_micros(self.at), self.id)
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
    event: AuditEvent<'_>,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::insert(transaction, event, now).await
}

/// Rows that failed log-ins at unknown addresses overwrite: enough that two of them seldom wait for
/// each other.
const UNKNOWN_FAILURES: u8 = 64;

/// Does for a failed log-in at an address without an account what [`record`] does for a known one, so that
/// the next request does not tell which of them it was. Nothing is added to the trail, and nothing grows: one
/// of a few rows is overwritten, chosen by `any`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn record_unknown_failure(
    transaction: &Transaction,
    any: u8,
    info: &RequestInfo,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    store::upsert_unknown_failure(transaction, any % UNKNOWN_FAILURES, info, now).await
}

/// Takes what is personal out of every event that a user did or suffered: addresses, programs and
/// details. That it happened stays.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn anonymize(transaction: &Transaction, user: UserId) -> Result<(), DbError> {
    store::anonymize(transaction, user).await
}

/// What happened to an account, newest first: at most `limit` events, older than the event `before`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_of_user(
    db: &Db,
    target: UserId,
    before: Option<i64>,
    limit: u64,
) -> Result<Vec<RecordedEvent>, DbError> {
    store::list_of_user(db, target, before, limit).await
}

/// The last times that one thing happened to an account, newest first, at most `limit`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_latest(
    db: &Db,
    target: UserId,
    kind: AuditEventKind,
    limit: u64,
) -> Result<Vec<RecordedEvent>, DbError> {
    store::list_latest(db, target, kind, limit).await
}

/// What was looked for, newest first: at most `limit` events that stand before a cursor.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn search(
    db: &Db,
    search: &AuditSearch,
    before: Option<AuditCursor>,
    limit: u64,
) -> Result<Vec<RecordedEvent>, DbError> {
    store::search(db, search, before, limit).await
}

/// The same for a file.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn export(
    db: &Db,
    search: &AuditSearch,
    before: Option<AuditCursor>,
    limit: u64,
) -> Result<Vec<ExportedEvent>, DbError> {
    store::export(db, search, before, limit).await
}

/// How often each of two things happened a day, from an instant on: days since 1970 in UTC. Counted in
/// an index and nowhere else.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn count_by_day(
    db: &Db,
    kinds: [AuditEventKind; 2],
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<Vec<(Option<AuditEventKind>, i64, i64)>, DbError> {
    store::count_by_day(db, kinds, from, to).await
}

/// How often something happened since an instant, counted up to `at_most`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn count_since(
    db: &Db,
    kind: AuditEventKind,
    from: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::count_since(db, kind, from, at_most).await
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
    store::delete_before(transaction, AuditEventKind::LoginFailed, now - KEEP_FAILURES, at_most)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_reads_back_as_it_was_written() {
        for action in AuditEventKind::ALL {
            assert_eq!(AuditEventKind::from_stored(action.as_str()), Some(action));
        }
    }

    /// The compiler asks for the name of a new action, and not for its cursor in the list.
    #[test]
    fn the_list_has_every_action() {
        let names = include_str!("mod.rs").split("pub fn as_str").nth(1).expect("the names");
        let names = names.split("pub fn").next().expect("their end");

        assert_eq!(names.matches("Self::").count(), AuditEventKind::ALL.len());
    }

    #[test]
    fn a_name_of_another_version_is_no_action() {
        for name in ["", "Login", "login ", "flown_to_the_moon"] {
            assert_eq!(AuditEventKind::from_stored(name), None, "{name:?}");
        }
    }
}

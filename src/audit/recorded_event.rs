//! Events as they are read from the audit log, for pages and for an export.
//!
//! A kind that only another version knows is kept by its stored name.

use serde_json::Value;
use time::OffsetDateTime;

use super::event_kind::AuditEventKind;
use super::search::AuditCursor;
use crate::types::UserId;

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

impl RecordedEvent {
    /// Returns the position of the event in the log.
    #[must_use]
    pub fn cursor(&self) -> AuditCursor {
        AuditCursor::new(self.at, self.id)
    }
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
        AuditCursor::new(self.at, self.id)
    }
}

//! An event that is to be written to the audit log.
//!
//! Names users and sessions only by their ids.

use serde_json::{Value, json};

use super::event_kind::AuditEventKind;
use crate::types::{RequestInfo, SessionId, UserId};

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

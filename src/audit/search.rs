//! A search in the audit log, and the position in the log at which a page begins.

use time::OffsetDateTime;

use super::event_kind::AuditEventKind;
use crate::clock::to_micros;
use crate::types::UserId;

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
pub struct AuditCursor(pub(super) i64, pub(super) i64);

impl AuditCursor {
    /// Returns the position of an event.
    pub(super) fn new(at: OffsetDateTime, id: i64) -> Self {
        Self(to_micros(at), id)
    }

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

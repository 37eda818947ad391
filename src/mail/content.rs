//! What an e-mail says, before it is rendered in a language.
//!
//! A use case puts it into the outbox, from where the mailer gets it. It names no recipient: the outbox
//! stores that beside it.

use time::OffsetDateTime;

use super::{EmailKind, TemplateData};
use crate::types::{RequestInfo, Secret};

/// The content of an e-mail. It may hold the tokens of links, so it is sealed wherever it is stored.
#[derive(Debug, Clone)]
pub struct EmailContent {
    /// Why it is sent; it decides the texts.
    pub kind: EmailKind,
    /// The token of the one thing that the e-mail asks for, if any: verify, reset, confirm, undo.
    pub link: Option<Secret>,
    /// The token of "this wasn't me".
    pub not_me: Option<Secret>,
    /// What the template fills in.
    pub data: TemplateData,
}

impl EmailContent {
    /// Creates content without links and data.
    #[must_use]
    pub fn new(kind: EmailKind) -> Self {
        Self { kind, link: None, not_me: None, data: TemplateData::default() }
    }

    /// Adds the token of what the e-mail asks for.
    #[must_use]
    pub fn with_link(self, token: Secret) -> Self {
        Self { link: Some(token), ..self }
    }

    /// Adds the token of "this wasn't me".
    #[must_use]
    pub fn with_not_me(self, token: Secret) -> Self {
        Self { not_me: Some(token), ..self }
    }

    /// Adds when and from where the request came that the e-mail is about.
    #[must_use]
    pub fn about(self, info: &RequestInfo, now: OffsetDateTime) -> Self {
        let data = TemplateData {
            at: Some(crate::clock::to_micros(now)),
            ip: Some(info.ip()).filter(|ip| !ip.is_empty()),
            user_agent: Some(info.user_agent.clone()).filter(|agent| !agent.is_empty()),
            ..self.data
        };
        Self { data, ..self }
    }
}

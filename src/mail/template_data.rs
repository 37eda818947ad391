//! What a template fills in besides the links: when something happened, from where, with what.

use serde::{Deserialize, Serialize};

/// The data of a template, as far as it applies. It is stored as JSON, so its fields keep their names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TemplateData {
    /// When it happened, in microseconds since 1970.
    pub at: Option<i64>,
    /// The client address.
    pub ip: Option<String>,
    /// The `User-Agent` header of the request.
    pub user_agent: Option<String>,
    /// Another e-mail address that the e-mail is about.
    pub email: Option<String>,
    /// The name of a provider of social log-in.
    // Older rows of the outbox have no such field.
    #[serde(default)]
    pub provider: Option<String>,
    /// When something will happen, in microseconds since 1970.
    pub due_at: Option<i64>,
}

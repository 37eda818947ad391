//! The users of providers.

use serde_json::Value;

use super::{ClientRegistration, OAuthError};
use crate::types::{Email, Name};

/// Longest subject, in bytes (OpenID Connect Core 1.0, 2).
const MAX_SUBJECT: usize = 255;

/// A user as a provider knows them, identified by issuer and subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderUser {
    /// The namespace of the subject: an issuer, or a provider's registration.
    pub issuer: String,
    /// The identifier that never changes.
    pub subject: String,
    /// The address, if the provider shares one that is well-formed.
    pub email: Option<Email>,
    /// Whether the provider has verified the address.
    pub is_email_verified: bool,
    /// The name, may be empty.
    pub name: Name,
}

/// What a provider says about a user, before any of it has been checked.
pub(super) struct ProviderProfile {
    pub subject: String,
    pub email: Option<String>,
    pub is_email_verified: bool,
    pub name: Option<String>,
}

impl ProviderProfile {
    /// Checks a profile.
    pub(super) fn into_user(
        self,
        registration: &ClientRegistration,
    ) -> Result<ProviderUser, OAuthError> {
        let has_control_characters = self.subject.chars().any(char::is_control);
        if self.subject.is_empty() || self.subject.len() > MAX_SUBJECT || has_control_characters {
            return Err(OAuthError::InvalidResponse("a subject that cannot be one"));
        }
        Ok(ProviderUser {
            issuer: registration.namespace(),
            subject: self.subject,
            // Malformed addresses and names are left out: the subject alone identifies the user, who is
            // asked for an address.
            email: self.email.and_then(|email| Email::parse(&email).ok()),
            is_email_verified: self.is_email_verified,
            name: self.name.and_then(|name| Name::parse(&name).ok()).unwrap_or_default(),
        })
    }
}

/// Returns a text, or a number as text: providers write identifiers both ways.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

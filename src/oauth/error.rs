//! The errors of social log-in. Their messages are logged, and none of them contains a token;
//! docs/SOCIAL.md quotes them.

use thiserror::Error;

/// Why a provider could not identify a user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OAuthError {
    /// The provider does not answer, or not in time.
    #[error("the provider does not answer: {0}")]
    Unreachable(String),
    /// The response is not what the protocol demands.
    #[error("the provider answers with {0}")]
    InvalidResponse(&'static str),
    /// The provider does not know the code or the token, or issued it to another application.
    #[error("the provider refuses: {0}")]
    Refused(String),
}

impl OAuthError {
    pub(super) fn refused(reason: &str) -> Self {
        Self::Refused(reason.to_owned())
    }

    pub(super) fn timeout() -> Self {
        Self::Unreachable("no answer in time".into())
    }
}

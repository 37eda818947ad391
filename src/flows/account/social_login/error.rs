//! Why a social log-in failed, as facts; the entry points turn them into sentences.

use thiserror::Error;

use crate::db::DbError;
use crate::oauth::OAuthError;
use crate::throttle::ThrottleError;

/// Why a social log-in failed.
#[derive(Debug, Error)]
pub enum SocialLoginError {
    /// There is no such provider.
    #[error("no such provider")]
    Unknown,
    /// The provider did not identify the user.
    #[error(transparent)]
    Provider(#[from] OAuthError),
    /// The account is inactive, or the identity belongs to another account.
    #[error("the account may not be used")]
    Refused,
    /// Sign-up is closed.
    #[error("sign-up is closed")]
    Closed,
    /// The address has an account, and not both sides have verified it.
    #[error("the address is taken")]
    EmailTaken,
    /// The address is local, so no mail leaves this network for it, and the settings do not allow
    /// that.
    #[error("a local address")]
    LocalEmail,
    /// An account needs an address, and the provider shares none.
    #[error("the provider tells no address")]
    NoEmail,
    /// There were too many attempts.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

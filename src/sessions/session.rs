//! The types of sessions: how a user was authenticated, the tokens, what is shown of a session, and
//! why it is not active.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::tokens::IssuedToken;
use crate::accounts::VerifiedHash;
use crate::crypto::jwt::TokenError;
use crate::db::DbError;
use crate::types::{SessionId, UserId};

/// How a user was authenticated.
#[derive(Debug, Clone, Copy)]
pub enum AuthMethod<'a> {
    /// By the password that matches this hash; the session is created only if the hash is still the
    /// stored one.
    Password(&'a VerifiedHash),
    /// By signing up just now.
    NewAccount,
    /// By the one-time setup link for the first superuser.
    SetupLink,
    /// By the social log-in provider with this slug.
    Social(&'a str),
}

impl<'a> AuthMethod<'a> {
    pub(super) fn hash(self) -> Option<&'a VerifiedHash> {
        match self {
            Self::Password(hash) => Some(hash),
            Self::NewAccount | Self::SetupLink | Self::Social(_) => None,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            // An account that the sign-up form created has just been given its password.
            Self::Password(_) | Self::NewAccount => "password",
            Self::SetupLink => "setup_link",
            Self::Social(_) => "social",
        }
    }

    /// Returns what the audit log records besides the name.
    pub(super) fn details(self) -> Value {
        match self {
            Self::Social(provider) => json!({ "provider": provider }),
            _ => json!({}),
        }
    }
}

/// The tokens of a session.
#[derive(Debug, Clone)]
pub struct IssuedTokens {
    /// The session.
    pub session: SessionId,
    /// Its user.
    pub user: UserId,
    /// The short-lived token that authenticates each request.
    pub access: IssuedToken,
    /// The long-lived token that is exchanged for the next pair.
    pub refresh: IssuedToken,
    /// The device token, for new sessions only.
    pub device: Option<String>,
}

/// An active session, as shown to its owner.
#[derive(Debug, Clone)]
pub struct SessionSummary {
    pub session: SessionId,
    /// When the user logged in.
    pub created_at: OffsetDateTime,
    /// When its tokens were last refreshed.
    pub last_seen_at: OffsetDateTime,
    /// The `User-Agent` at that time.
    pub user_agent: String,
    /// The client address at that time.
    pub ip: String,
    /// The stored name of the [`AuthMethod`].
    pub auth_method: String,
}

/// The active sessions of a user.
#[derive(Debug, Clone)]
pub struct SessionList {
    /// The first of them.
    pub sessions: Vec<SessionSummary>,
    /// How many more there are.
    pub more: u64,
}

/// Everything that is stored about a session, without its tokens.
#[derive(Debug, Clone)]
pub struct SessionRecord {
    pub id: String,
    /// When the user logged in.
    pub created_at: OffsetDateTime,
    /// When its tokens were last refreshed.
    pub last_seen_at: OffsetDateTime,
    /// When it expires at the latest.
    pub expires_at: OffsetDateTime,
    /// When it was ended, if it was.
    pub ended_at: Option<OffsetDateTime>,
    /// The stored name of the [`EndReason`].
    pub ended_because: Option<String>,
    /// The stored name of the [`AuthMethod`].
    pub auth_method: String,
    /// The last `User-Agent`.
    pub user_agent: String,
    /// The last client address.
    pub ip: String,
}

/// Why a session is not active. Revealed only to clients that present a token of this session that
/// we signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionInvalid {
    /// It does not exist: its account was deleted, or the session was cleaned up long after its
    /// end.
    #[error("the session does not exist")]
    NotFound,
    /// The account is inactive.
    #[error("the account is inactive")]
    UserInactive,
    /// It was ended, or has expired.
    #[error("the session has ended")]
    Ended,
    /// The e-mail address must be verified first.
    #[error("the e-mail address is not verified")]
    EmailUnverified,
}

/// What belongs to a session, if that is active.
pub(super) type IfActive<T> = Result<T, SessionInvalid>;

/// Why a refresh token was refused.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// It is not one of our refresh tokens, or it has expired.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its session is not active.
    #[error(transparent)]
    Session(#[from] SessionInvalid),
    /// It had been replaced before: it was copied, and the session was revoked.
    #[error("the token was replaced before")]
    Reused,
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Why a session ended. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The user logged out.
    LoggedOut,
    /// The user logged in again in the same browser.
    Replaced,
    /// A replaced refresh token was used again.
    TokenReused,
    /// The password was changed.
    PasswordChanged,
    /// The e-mail address was verified, and a user who logged in before may not own it.
    EmailVerified,
    /// The owner reported a compromise ("this wasn't me").
    NotMe,
    /// The owner requested the deletion of the account.
    Leaving,
    /// Staff suspended or deleted the account.
    Deactivated,
    /// Staff changed the e-mail address of the account.
    EmailChanged,
    /// Staff ended it.
    EndedByStaff,
    /// The owner ended it in the list of sessions.
    EndedByOwner,
    /// The user has logged in so often since that it exceeded the bound.
    TooMany,
}

impl EndReason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Replaced => "replaced",
            Self::TokenReused => "token_reused",
            Self::PasswordChanged => "password_changed",
            Self::EmailVerified => "email_verified",
            Self::NotMe => "not_me",
            Self::Leaving => "leaving",
            Self::Deactivated => "deactivated",
            Self::EmailChanged => "email_changed",
            Self::EndedByStaff => "ended_by_staff",
            Self::EndedByOwner => "ended_by_owner",
            Self::TooMany => "too_many",
        }
    }
}

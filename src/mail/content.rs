//! What an e-mail says, before it is written in anybody's language.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::types::{RequestInfo, Secret};

/// The occasions for an e-mail. The names are stored; they are added to and never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailKind {
    /// Somebody joined or asked again: the address is to be proved.
    VerifyEmail,
    /// Somebody tried to join with an address that has an account.
    AlreadyJoined,
    /// Somebody forgot the password.
    ResetPassword,
    /// The owner said that it was not them: the password is off, and another is to be chosen.
    AccountLocked,
    /// Staff made the account: its person is to choose a password.
    Invited,
    /// The password was changed.
    PasswordChanged,
    /// The account was signed in to on a device that it was never signed in on.
    NewDevice,
    /// A replaced refresh token was used again, and the session was ended.
    TokenReused,
    /// To the new address: it is to be proved before the account moves to it.
    ConfirmNewEmail,
    /// To an address that has an account: somebody wanted to move another account to it.
    AddressInUse,
    /// To the old address: the account has moved to another one.
    EmailChanged,
    /// The account will be deleted.
    DeletionScheduled,
    /// The account was deleted.
    Deleted,
    /// A person of a provider opens the account from now on.
    SocialConnected,
    /// `daemun check --mail` tries the mail server.
    Test,
}

impl EmailKind {
    /// Every occasion.
    pub const ALL: [Self; 15] = [
        Self::VerifyEmail,
        Self::AlreadyJoined,
        Self::ResetPassword,
        Self::AccountLocked,
        Self::Invited,
        Self::PasswordChanged,
        Self::NewDevice,
        Self::TokenReused,
        Self::ConfirmNewEmail,
        Self::AddressInUse,
        Self::EmailChanged,
        Self::DeletionScheduled,
        Self::Deleted,
        Self::SocialConnected,
        Self::Test,
    ];

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::AlreadyJoined => "already_joined",
            Self::ResetPassword => "reset_password",
            Self::AccountLocked => "account_locked",
            Self::Invited => "invited",
            Self::PasswordChanged => "password_changed",
            Self::NewDevice => "new_device",
            Self::TokenReused => "token_reused",
            Self::ConfirmNewEmail => "confirm_new_email",
            Self::AddressInUse => "address_in_use",
            Self::EmailChanged => "email_changed",
            Self::DeletionScheduled => "deletion_scheduled",
            Self::Deleted => "deleted",
            Self::SocialConnected => "social_connected",
            Self::Test => "test",
        }
    }

    /// The key of what the subject says.
    #[must_use]
    pub fn subject(self) -> &'static str {
        super::rendered::subject(self)
    }

    /// Reads a stored name.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// An e-mail as data. It may hold the tokens of links, so it is sealed wherever it is stored.
#[derive(Debug, Clone)]
pub struct EmailContent {
    /// The occasion.
    pub kind: EmailKind,
    /// The token of the one thing that the reader is asked to do, if there is one: verify, reset,
    /// confirm, undo.
    pub link: Option<Secret>,
    /// The token of "this wasn't me".
    pub not_me: Option<Secret>,
    /// What the e-mail tells about.
    pub data: TemplateData,
}

/// What an e-mail tells about, as far as it applies.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TemplateData {
    /// When it happened, in microseconds since 1970.
    pub at: Option<i64>,
    /// From which address of the network.
    pub ip: Option<String>,
    /// With which program, in its own words.
    pub user_agent: Option<String>,
    /// Another e-mail address that the e-mail speaks of.
    pub email: Option<String>,
    /// The name of a provider of social log-in.
    #[serde(default)]
    pub provider: Option<String>,
    /// When something will happen, in microseconds since 1970.
    pub due_at: Option<i64>,
}

impl EmailContent {
    /// An e-mail that says no more than its occasion.
    #[must_use]
    pub fn new(kind: EmailKind) -> Self {
        Self { kind, link: None, not_me: None, data: TemplateData::default() }
    }

    /// With the token of what the reader is asked to do.
    #[must_use]
    pub fn with_link(self, token: Secret) -> Self {
        Self { link: Some(token), ..self }
    }

    /// With the token of "this wasn't me".
    #[must_use]
    pub fn with_not_me(self, token: Secret) -> Self {
        Self { not_me: Some(token), ..self }
    }

    /// About something that `info` did at `now`.
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

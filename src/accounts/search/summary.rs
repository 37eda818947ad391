//! A user, as lists show one.

use time::OffsetDateTime;

use crate::types::{Profile, UserId};

/// What a list shows of a user.
#[expect(clippy::struct_excessive_bools, reason = "four independent facts")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSummary {
    pub id: UserId,
    pub email: String,
    pub(super) email_canonical: String,
    /// What the user says about themselves.
    pub profile: Profile,
    /// Whether the account may be used.
    pub is_active: bool,
    pub is_staff: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    pub is_verified: bool,
    /// When the user last logged in.
    pub last_login_at: Option<OffsetDateTime>,
    /// When the user signed up.
    pub created_at: OffsetDateTime,
    /// When the account last changed.
    pub updated_at: OffsetDateTime,
}

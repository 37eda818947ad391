//! The user of a signed-in request.

use time::OffsetDateTime;

use super::{Email, Language, Permission, Permissions, Profile, UserId};

/// What a signed-in request knows about its user without asking the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The ID of the account.
    pub id: UserId,
    /// The address of the account.
    pub email: Email,
    /// What the user says about themselves.
    pub profile: Profile,
    /// Whether the user may enter the admin pages.
    pub is_staff: bool,
    /// Whether the user has every permission.
    pub is_superuser: bool,
    /// The permissions that the groups of a member of staff grant; superusers need none.
    pub granted: Permissions,
    /// Whether the user can log in with a password.
    pub has_password: bool,
    /// When the address was verified.
    pub email_verified_at: Option<OffsetDateTime>,
    /// The language of e-mails to the user.
    pub language: Language,
    /// When the account was created.
    pub created_at: OffsetDateTime,
}

impl User {
    /// Returns the permissions on the admin pages: all for a superuser, those that the groups grant for
    /// staff, none for other users.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        match (self.is_superuser, self.is_staff) {
            (true, _) => Permissions::all(),
            (false, true) => self.granted,
            (false, false) => Permissions::NONE,
        }
    }

    /// Returns whether the user has a permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions().has(permission)
    }
}

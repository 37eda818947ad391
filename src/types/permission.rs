//! The permissions of staff, one per kind of action.

use std::fmt;

use super::stored_enum;

stored_enum! {
    /// A permission on the admin pages. The names are stored.
    #[derive(Hash, PartialOrd, Ord)]
    pub enum Permission {
        /// View users.
        UsersView = "users.view",
        /// Create accounts.
        UsersAdd = "users.add",
        /// Change accounts, and act on them short of deleting.
        UsersChange = "users.change",
        /// Delete accounts.
        UsersDelete = "users.delete",
        /// End other users' sessions.
        SessionsEnd = "sessions.end",
        /// Read the audit log.
        AuditView = "audit.view",
        /// View the settings.
        SettingsView = "settings.view",
        /// Change the providers of social log-in.
        SocialChange = "social.change",
    }
}

impl Permission {
    fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// A set of permissions.
// The database stores names, so a new variant may change the bits.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u16);

impl Permissions {
    /// No permission.
    pub const NONE: Self = Self(0);

    /// Returns every permission, as superusers have them.
    #[must_use]
    pub fn all() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Returns every permission that is not in the set.
    #[must_use]
    pub fn others(self) -> Self {
        Self(Self::all().0 & !self.0)
    }

    /// Returns whether a permission is in the set.
    #[must_use]
    pub fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Returns whether each permission is also in `others`.
    #[must_use]
    pub fn are_within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Returns the permissions in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let two: Permissions = [Permission::UsersView, Permission::AuditView].into_iter().collect();

        assert!(two.has(Permission::UsersView) && !two.has(Permission::UsersAdd));
        assert!(two.are_within(Permissions::all()) && !Permissions::all().are_within(two));
        assert!(Permissions::NONE.are_within(two));
        assert!(!two.others().has(Permission::UsersView) && two.others().has(Permission::UsersAdd));
        assert_eq!((two.others().others(), Permissions::all().others()), (two, Permissions::NONE));
        assert_eq!(two.iter().collect::<Vec<_>>(), [Permission::UsersView, Permission::AuditView]);
    }

    #[test]
    fn a_permission_reads_back_as_it_was_written() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_stored(permission.as_str()), Some(permission));
        }
        assert_eq!(Permission::from_stored("users.everything"), None);
    }
}

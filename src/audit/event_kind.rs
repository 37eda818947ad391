//! The kinds of audit events.
//!
//! Does not say how a kind is shown; the entry points have its sentence.

use crate::types::stored_enum;

stored_enum! {
    /// The kind of an event. The names are stored: kinds are added, and their names never change.
    pub enum AuditEventKind {
        /// A user signed up.
        SignedUp = "signup",
        /// A user logged in.
        LoggedIn = "login",
        /// A wrong password was given for an account that exists.
        LoginFailed = "login_failed",
        /// A user logged out.
        LoggedOut = "logout",
        /// A replaced refresh token was used again, which means that a copy exists.
        TokenReused = "token_reused",
        /// The first superuser was created, by the setup link or at the terminal.
        SuperuserCreated = "superuser_made",
        /// A password was set at the terminal.
        PasswordSet = "password_set",
        /// The address was verified.
        EmailVerified = "email_verified",
        /// The owner changed the password, with the current one.
        PasswordChanged = "password_changed",
        /// A link for a new password was requested.
        PasswordResetRequested = "reset_asked",
        /// The password was replaced through such a link.
        PasswordReset = "password_reset",
        /// The owner asked to move the account to another address.
        EmailChangeRequested = "email_change_asked",
        /// The account moved to another address.
        EmailChanged = "email_changed",
        /// The account moved back to its former address.
        EmailChangeUndone = "email_change_undone",
        /// The owner reported that an action was not theirs.
        CompromiseReported = "not_me",
        /// The owner changed the profile.
        ProfileChanged = "profile_changed",
        /// The owner authenticated again for a dangerous action.
        Reauthenticated = "proved_again",
        /// The owner scheduled the deletion of the account.
        DeletionScheduled = "deletion_scheduled",
        /// The owner logged in, which cancelled the deletion.
        DeletionCancelled = "deletion_cancelled",
        /// The account was deleted.
        Deleted = "deleted",
        /// Staff activated the account.
        Activated = "activated",
        /// Staff suspended the account.
        Deactivated = "deactivated",
        /// Staff deleted the account; for a day the deletion can be undone.
        DeletedByStaff = "deletion_by_staff",
        /// Staff undid a bulk job, and the account was restored.
        UndoneByStaff = "undone_by_staff",
        /// Staff marked the address as verified.
        VerifiedByStaff = "verified_by_staff",
        /// Staff ended the sessions.
        SessionsEndedByStaff = "sessions_ended_by_staff",
        /// Staff created a link for a new password.
        ResetLinkCreated = "reset_link_made",
        /// Staff made the password unusable.
        PasswordLocked = "password_locked",
        /// Staff created the account.
        CreatedByStaff = "added_by_staff",
        /// Staff changed the account or its roles.
        ChangedByStaff = "changed_by_staff",
        /// A suspension ended by itself.
        SuspensionExpired = "suspension_over",
        /// Staff created a group.
        GroupCreated = "group_made",
        /// Staff changed a group.
        GroupChanged = "group_changed",
        /// Staff deleted a group.
        GroupDeleted = "group_deleted",
        /// Staff had an e-mail sent again at once.
        EmailRetried = "letter_retried",
        /// A user ended one of their sessions.
        SessionEnded = "session_ended",
        /// A user ended all their sessions except the current one.
        OtherSessionsEnded = "other_sessions_ended",
        /// The next signing key was created.
        KeyRotated = "key_rotated",
        /// A social account was connected.
        SocialConnected = "social_connected",
        /// A social account was disconnected.
        SocialDisconnected = "social_disconnected",
        /// Staff registered a social log-in provider.
        ProviderAdded = "provider_added",
        /// Staff changed a provider's registration.
        ProviderChanged = "provider_changed",
        /// Staff deleted a provider's registration.
        ProviderDeleted = "provider_deleted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back_as_it_was_written() {
        for kind in AuditEventKind::ALL {
            assert_eq!(AuditEventKind::from_stored(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_name_of_another_version_is_no_kind() {
        for name in ["", "Login", "login ", "flown_to_the_moon"] {
            assert_eq!(AuditEventKind::from_stored(name), None, "{name:?}");
        }
    }
}

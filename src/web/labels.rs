//! The labels of values that pages of users and of staff show.
//!
//! Returns translation keys, or texts where the site chooses the name itself.

use crate::audit::AuditEventKind;
use crate::oauth::{ClientRegistration, ProviderKind};
use crate::web::page::PageContext;

/// Writes a number with a comma between thousands, as both languages do.
pub(in crate::web) fn with_commas(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// Returns the label of an event kind; a new kind does not compile without one. Labels may use the
/// placeholder `count`.
pub(in crate::web) fn audit_event_label(kind: Option<AuditEventKind>) -> &'static str {
    let Some(kind) = kind else { return "audit_event.other" };
    match kind {
        AuditEventKind::SignedUp => "audit_event.signup",
        AuditEventKind::LoggedIn => "audit_event.login",
        AuditEventKind::LoginFailed => "audit_event.login_failed",
        AuditEventKind::LoggedOut => "audit_event.logout",
        AuditEventKind::TokenReused => "audit_event.token_reused",
        AuditEventKind::SuperuserCreated => "audit_event.superuser_created",
        AuditEventKind::PasswordSet => "audit_event.password_set",
        AuditEventKind::EmailVerified => "audit_event.email_verified",
        AuditEventKind::PasswordChanged => "audit_event.password_changed",
        AuditEventKind::PasswordResetRequested => "audit_event.password_reset_requested",
        AuditEventKind::PasswordReset => "audit_event.password_reset",
        AuditEventKind::EmailChangeRequested => "audit_event.email_change_requested",
        AuditEventKind::EmailChanged => "audit_event.email_changed",
        AuditEventKind::EmailChangeUndone => "audit_event.email_change_undone",
        AuditEventKind::CompromiseReported => "audit_event.compromise_reported",
        AuditEventKind::ProfileChanged => "audit_event.profile_updated",
        AuditEventKind::Reauthenticated => "audit_event.reauthenticated",
        AuditEventKind::DeletionScheduled => "audit_event.deletion_scheduled",
        AuditEventKind::DeletionCancelled => "audit_event.deletion_cancelled",
        AuditEventKind::Deleted => "audit_event.deleted",
        AuditEventKind::Activated => "audit_event.activated",
        AuditEventKind::Deactivated => "audit_event.deactivated",
        AuditEventKind::DeletedByStaff => "audit_event.deletion_scheduled_by_staff",
        AuditEventKind::UndoneByStaff => "audit_event.bulk_job_undone",
        AuditEventKind::VerifiedByStaff => "audit_event.email_verified_by_staff",
        AuditEventKind::SessionsEndedByStaff => "audit_event.sessions_ended_by_staff",
        AuditEventKind::ResetLinkCreated => "audit_event.password_reset_link_created",
        AuditEventKind::PasswordLocked => "audit_event.password_disabled",
        AuditEventKind::CreatedByStaff => "audit_event.user_created",
        AuditEventKind::ChangedByStaff => "audit_event.user_updated",
        AuditEventKind::SuspensionExpired => "audit_event.suspension_ended",
        AuditEventKind::GroupCreated => "audit_event.group_created",
        AuditEventKind::GroupChanged => "audit_event.group_updated",
        AuditEventKind::GroupDeleted => "audit_event.group_deleted",
        AuditEventKind::EmailRetried => "audit_event.email_retried",
        AuditEventKind::SessionEnded => "audit_event.session_ended",
        AuditEventKind::OtherSessionsEnded => "audit_event.other_sessions_ended",
        AuditEventKind::KeyRotated => "audit_event.key_rotated",
        AuditEventKind::SocialConnected => "audit_event.social_connected",
        AuditEventKind::SocialDisconnected => "audit_event.social_disconnected",
        AuditEventKind::ProviderAdded => "audit_event.social_provider_created",
        AuditEventKind::ProviderChanged => "audit_event.social_provider_updated",
        AuditEventKind::ProviderDeleted => "audit_event.social_provider_deleted",
    }
}

/// Returns the translation key of a provider's usual name; a new kind does not compile without one.
pub(in crate::web) fn provider_label(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Kakao => "social_provider.kakao",
        ProviderKind::Naver => "social_provider.naver",
        ProviderKind::Google => "social_provider.google",
        ProviderKind::Facebook => "social_provider.facebook",
        ProviderKind::GitHub => "social_provider.github",
        ProviderKind::Oidc => "social_provider.oidc",
    }
}

/// Returns a provider's name: the one from the settings, or its usual one.
pub(in crate::web) fn provider_name(
    registration: &ClientRegistration,
    page: &PageContext,
) -> String {
    match registration.name.as_str() {
        "" if registration.kind == ProviderKind::Oidc => registration.slug.clone(),
        "" => page.t(provider_label(registration.kind)).into_owned(),
        name => name.to_owned(),
    }
}

//! The translation keys of each kind of e-mail: its subject, its paragraphs, and why it was sent.
//!
//! The sentences themselves are in `src/i18n/emails.toml`. A new kind does not compile without its keys.

use super::{EmailContent, EmailKind};

/// Returns the key of the subject.
pub(super) fn subject(kind: EmailKind) -> &'static str {
    match kind {
        EmailKind::VerifyEmail => "emails.verify_email.subject",
        EmailKind::AlreadyJoined => "emails.already_joined.subject",
        EmailKind::ResetPassword => "emails.reset_password.subject",
        EmailKind::AccountLocked => "emails.account_locked.subject",
        EmailKind::Invited => "emails.invited.subject",
        EmailKind::PasswordChanged => "emails.password_changed.subject",
        EmailKind::NewDevice => "emails.new_device.subject",
        EmailKind::TokenReused => "emails.token_reused.subject",
        EmailKind::ConfirmNewEmail => "emails.confirm_new_email.subject",
        EmailKind::AddressInUse => "emails.address_in_use.subject",
        EmailKind::EmailChanged => "emails.email_changed.subject",
        EmailKind::DeletionScheduled => "emails.deletion_scheduled.subject",
        EmailKind::Deleted => "emails.deleted.subject",
        EmailKind::SocialConnected => "emails.social_connected.subject",
        EmailKind::Test => "emails.test.subject",
    }
}

/// Returns the keys of the body, one per paragraph.
pub(super) fn paragraphs(content: &EmailContent) -> &'static [&'static str] {
    let has_link = content.link.is_some();
    match content.kind {
        EmailKind::VerifyEmail => &["emails.verify_email.body", "emails.verify_email.stranger"],
        EmailKind::AlreadyJoined if has_link => &[
            "emails.already_joined.body",
            "emails.already_joined.verify",
            "emails.already_joined.stranger",
        ],
        EmailKind::AlreadyJoined => &["emails.already_joined.body", "emails.already_joined.login"],
        EmailKind::ResetPassword => {
            &["emails.reset_password.body", "emails.reset_password.stranger"]
        }
        EmailKind::AccountLocked => &["emails.account_locked.body", "emails.reset_password.body"],
        EmailKind::Invited => &["emails.invited.body", "emails.invited.stranger"],
        EmailKind::PasswordChanged => &["emails.password_changed.body", "emails.nothing_to_do"],
        EmailKind::NewDevice => &["emails.new_device.body", "emails.nothing_to_do"],
        EmailKind::TokenReused => &["emails.token_reused.body", "emails.token_reused.next"],
        EmailKind::ConfirmNewEmail => {
            &["emails.confirm_new_email.body", "emails.confirm_new_email.stranger"]
        }
        EmailKind::AddressInUse => &["emails.address_in_use.body", "emails.address_in_use.next"],
        EmailKind::EmailChanged if has_link => {
            &["emails.email_changed.body", "emails.nothing_to_do", "emails.email_changed.undo"]
        }
        EmailKind::EmailChanged => &["emails.email_changed.body", "emails.nothing_to_do"],
        EmailKind::DeletionScheduled if content.data.due_at.is_some() => {
            &["emails.deletion_scheduled.on", "emails.deletion_scheduled.next"]
        }
        EmailKind::DeletionScheduled => {
            &["emails.deletion_scheduled.soon", "emails.deletion_scheduled.next"]
        }
        EmailKind::Deleted => &["emails.deleted.body", "emails.deleted.next"],
        EmailKind::SocialConnected => &["emails.social_connected.body", "emails.nothing_to_do"],
        EmailKind::Test => &["emails.test.body"],
    }
}

/// Returns the key of the footer's sentence that says why the recipient gets this e-mail.
pub(super) fn reason(kind: EmailKind) -> &'static str {
    match kind {
        EmailKind::VerifyEmail | EmailKind::AlreadyJoined => "emails.why.signup",
        EmailKind::ResetPassword => "emails.why.password_reset",
        EmailKind::AccountLocked
        | EmailKind::PasswordChanged
        | EmailKind::NewDevice
        | EmailKind::TokenReused
        | EmailKind::SocialConnected
        | EmailKind::DeletionScheduled => "emails.why.account",
        EmailKind::Invited => "emails.why.invited",
        EmailKind::ConfirmNewEmail | EmailKind::AddressInUse => "emails.why.email_change",
        EmailKind::EmailChanged | EmailKind::Deleted => "emails.why.old_address",
        EmailKind::Test => "emails.why.test",
    }
}

//! The rules that the settings set for active sessions.
//!
//! Holds the conditions only; `store` applies them.

use time::OffsetDateTime;

use crate::clock::to_micros;
use crate::config::EmailVerification;
use crate::context::Context;

/// What a session needs to count as active, besides not having been ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionRules {
    /// Whether the user's e-mail address must be verified.
    pub needs_verified_email: bool,
    /// After how long without use it ends.
    pub idle: Option<time::Duration>,
}

impl SessionRules {
    /// Returns the rules of the settings.
    pub(super) fn of(ctx: &Context) -> Self {
        let idle = time::Duration::try_from(ctx.settings.session_idle_lifetime).ok();
        Self {
            needs_verified_email: ctx.settings.email_verification == EmailVerification::Mandatory,
            // `0s` turns the limit off.
            idle: idle.filter(|idle| !idle.is_zero()),
        }
    }

    /// Returns the instant after which it must have been used, in microseconds.
    pub(super) fn seen_after(self, now: OffsetDateTime) -> i64 {
        // Without a limit every instant is late enough.
        self.idle.map_or(i64::MIN, |idle| to_micros(now - idle))
    }
}

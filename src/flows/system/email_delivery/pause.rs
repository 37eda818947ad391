//! The pause after a mail server could not be reached, which doubles each time up to a bound.
//!
//! Decides only how long it lasts; what is not sent meanwhile is decided by the sender.

use std::time::Duration;

use time::OffsetDateTime;

/// How long a mail server that could not be reached is left alone at first, and how long at most.
/// The pause doubles, and after each of them one e-mail tries again.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// A time in which the mail server is left alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    until: OffsetDateTime,
    length: Duration,
}

impl Pause {
    /// Begins a pause: the first one, or one that is longer than the one before.
    pub(super) fn begin(before: Option<Self>, now: OffsetDateTime) -> Self {
        let length = before.map_or(FIRST_PAUSE, |pause| LONGEST_PAUSE.min(pause.length * 2));
        Self { until: now + length, length }
    }

    /// Returns whether it is not over yet.
    pub(super) fn lasts(self, now: OffsetDateTime) -> bool {
        // A clock that was set back does not prolong it.
        now < self.until && self.until <= now + self.length
    }
}

//! Tells the time; the only module that asks the machine for it.
//!
//! Everything else gets a [`Clock`], so that a test can move time instead of waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use time::OffsetDateTime;

/// Tells the time in UTC, to the microsecond.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Machine,
    Hand(Arc<AtomicI64>),
}

impl Clock {
    /// Returns the machine's clock.
    #[must_use]
    pub fn of_the_machine() -> Self {
        Self(Source::Machine)
    }

    /// Returns a clock that starts at `start` and only moves by [`advance`](Self::advance). Clones share
    /// their time.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only tests move time"))]
    #[must_use]
    pub fn standing_at(start: OffsetDateTime) -> Self {
        Self(Source::Hand(Arc::new(AtomicI64::new(to_micros(start)))))
    }

    /// Returns the present.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            Source::Machine => machine_time(),
            Source::Hand(micros) => from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a standing clock forward; the machine's clock cannot be moved.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only tests move time"))]
    pub fn advance(&self, by: Duration) {
        if let Source::Hand(micros) = &self.0 {
            let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
            micros.fetch_add(by, Ordering::SeqCst);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
fn machine_time() -> OffsetDateTime {
    // Cut to what the database stores, so that an instant reads back equal.
    from_micros(to_micros(OffsetDateTime::now_utc()))
}

/// Returns microseconds since 1970-01-01T00:00:00Z, as the database stores instants.
#[must_use]
pub fn to_micros(instant: OffsetDateTime) -> i64 {
    i64::try_from(instant.unix_timestamp_nanos() / 1_000)
        .expect("every year that `time` can hold fits into 64 bits of microseconds")
}

/// Returns the instant that [`to_micros`] was given; the epoch for a number that cannot be one.
#[must_use]
pub fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

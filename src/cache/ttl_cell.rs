//! One value that is expensive to compute, kept for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};

/// A value with a time to live, one per process.
#[derive(Debug)]
pub struct TtlCell<T> {
    ttl: Duration,
    stored: Mutex<Option<(T, OffsetDateTime)>>,
}

impl<T: Clone> TtlCell<T> {
    #[must_use]
    pub const fn new(ttl: Duration) -> Self {
        Self { ttl, stored: Mutex::new(None) }
    }

    /// Returns the value, if it is fresh.
    pub fn get(&self, now: OffsetDateTime) -> Option<T> {
        let stored = self.lock();
        let (value, stored_at) = stored.as_ref()?;
        // A value from the future was stored before the clock was set back.
        (now - *stored_at < self.ttl && now >= *stored_at).then(|| value.clone())
    }

    /// Returns the value, fresh or not.
    pub fn get_stale(&self) -> Option<T> {
        self.lock().as_ref().map(|(value, _)| value.clone())
    }

    pub fn set(&self, value: T, now: OffsetDateTime) {
        *self.lock() = Some((value, now));
    }

    /// Removes the value, because it has changed.
    pub fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(T, OffsetDateTime)>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

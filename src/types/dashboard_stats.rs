//! The counts that the dashboard shows. Which rows are counted, and when, is decided by its use case.

/// Counts for the dashboard. They are bounded; a count at its bound means "at least".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DashboardStats {
    /// Accounts.
    pub users: u64,
    /// Active accounts.
    pub active: u64,
    /// Accounts with a verified e-mail address.
    pub verified: u64,
    /// Accounts created today.
    pub new_today: u64,
    /// Active sessions.
    pub sessions: u64,
    /// Failed log-ins of the last 24 hours.
    pub failures: u64,
    /// The last days, the latest last: day since 1970 in UTC, sign-ups, log-ins.
    pub days: Vec<(i64, u64, u64)>,
}

impl DashboardStats {
    /// Returns the days before `today`, which no longer change, if they were counted today.
    #[must_use]
    pub fn past_days(&self, today: i64) -> Option<Vec<(i64, u64, u64)>> {
        let (last, past) = self.days.split_last()?;
        (last.0 == today).then(|| past.to_vec())
    }
}

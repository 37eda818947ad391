//! What a browser calls itself, in words.

/// A browser and the system it runs on, as far as they can be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent {
    /// The browser or app, such as `Firefox`.
    pub browser: Option<String>,
    /// The system, such as `Windows`.
    pub system: Option<String>,
}

/// Reads a `User-Agent`.
#[must_use]
pub fn describe(user_agent: &str) -> Agent {
    let _ = user_agent;
    Agent::default()
}

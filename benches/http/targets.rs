//! Whether a target was reached, and the plain arithmetic of figures.

use std::time::Duration;

use serde_json::{Value, json};

/// A promise, and what has become of it.
pub(crate) struct Target {
    promise: String,
    measured: Option<f64>,
    is_reached: bool,
}

impl Target {
    pub(crate) fn at_least(promise: &str, measured: f64, bound: f64) -> Self {
        let is_reached = measured >= bound;
        Self {
            promise: format!("{promise}: at least {bound}"),
            measured: Some(measured),
            is_reached,
        }
    }

    /// What could not be measured is not reached.
    pub(crate) fn below(promise: &str, measured: Option<f64>, bound: f64) -> Self {
        let is_reached = measured.is_some_and(|measured| measured < bound);
        Self { promise: format!("{promise}: below {bound}"), measured, is_reached }
    }

    pub(crate) fn line(&self) -> String {
        let verdict = if self.is_reached { "reached" } else { "MISSED" };
        let measured = self.measured.map_or("not known".to_owned(), |it| format!("{it:.2}"));
        format!("{verdict:<9}{:<66}{measured:>9}", self.promise)
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "promise": self.promise, "measured": self.measured, "reached": self.is_reached })
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The lowest and the highest.
pub(crate) fn range(values: &[f64]) -> String {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = values.iter().copied().fold(0.0, f64::max);
    format!("({lowest:.0}-{highest:.0})")
}

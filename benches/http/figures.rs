//! Figures out of turns: medians, spreads, ratios, and whether a target was reached.

use std::time::Duration;

use serde_json::{Value, json};

use crate::load::Round;

/// One thing that was asked for, in several turns.
pub(crate) struct Subject {
    name: &'static str,
    pub(crate) rounds: Vec<Round>,
}

/// A promise, and what has become of it.
pub(crate) struct Target {
    promise: String,
    measured: Option<f64>,
    is_reached: bool,
}

impl Subject {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    /// Requests per second, turn by turn.
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.rounds.iter().map(Round::rate).collect()
    }

    /// How its rate stands to another's, turn by turn.
    pub(crate) fn ratio_to(&self, others: &[f64]) -> f64 {
        let ratios = self.rates().into_iter().zip(others).map(|(rate, other)| rate / other);
        median(&ratios.collect::<Vec<_>>())
    }

    /// The time in milliseconds within which so many of a hundred requests were answered.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let latencies = self.rounds.iter().map(|round| round.percentile(percent));
        median(&latencies.map(milliseconds).collect::<Vec<_>>())
    }

    /// The server's processor time per request in microseconds.
    fn cost(&self) -> Option<f64> {
        let costs: Option<Vec<_>> = self.rounds.iter().map(Round::cost).collect();
        costs.map(|costs| 1000.0 * median(&costs.into_iter().map(milliseconds).collect::<Vec<_>>()))
    }

    /// How many cores the server used.
    fn busy(&self) -> Option<f64> {
        let shares: Option<Vec<_>> = self.rounds.iter().map(Round::busy).collect();
        shares.map(|shares| median(&shares))
    }

    pub(crate) fn errors(&self) -> u32 {
        self.rounds.iter().flat_map(|round| round.wrong().values()).sum()
    }

    /// What went wrong, for people.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let wrong = self.rounds.iter().flat_map(Round::wrong);
        wrong.map(|(what, times)| format!("WRONG  {}: {what} ({times})", self.name)).collect()
    }

    pub(crate) fn heading() -> String {
        let columns = ["per second", "(lowest-highest)", "p50 ms", "p99 ms", "CPU us", "cores"];
        let [rate, spread, p50, p99, cost, busy] = columns;
        format!(
            "{:<26}{rate:>12}{spread:>18}{p50:>9}{p99:>9}{cost:>9}{busy:>7}{:>8}{:>8}",
            "", "errors", "ratio"
        )
    }

    pub(crate) fn line(&self, ratio: Option<f64>) -> String {
        let rates = self.rates();
        let or_dash = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
        };
        format!(
            "{:<26}{:>12.0}{:>18}{:>9.2}{:>9.2}{:>9}{:>7}{:>8}{:>8}",
            self.name,
            median(&rates),
            range(&rates),
            self.percentile(50),
            self.percentile(99),
            or_dash(self.cost(), 1),
            or_dash(self.busy(), 2),
            self.errors(),
            or_dash(ratio, 2),
        )
    }

    pub(crate) fn json(&self, ratio: Option<f64>) -> Value {
        json!({
            "name": self.name,
            "per_second": self.rates(),
            "p50_ms": self.percentile(50),
            "p99_ms": self.percentile(99),
            "cpu_us": self.cost(),
            "cores": self.busy(),
            "errors": self.errors(),
            "ratio": ratio,
        })
    }
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

//! Figures out of turns: medians, spreads and ratios of one thing that was asked for.

use serde_json::{Value, json};

use crate::load::{LoadRun, Samples, Workload};
use crate::server::Server;
use crate::targets::{median, milliseconds, range};

/// One thing that was asked for, in several turns.
pub(crate) struct Subject {
    name: &'static str,
    pub(crate) samples: Vec<Samples>,
}

impl Subject {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, samples: Vec::new() }
    }

    /// One turn more; hands the workloads back for the next.
    pub(crate) fn turn<E: Workload>(
        &mut self,
        load_run: LoadRun,
        server: &Server,
        workloads: Vec<E>,
    ) -> Vec<E> {
        let (round, workloads) = load_run.run(server, workloads);
        self.samples.push(round);
        workloads
    }

    /// Requests per second, turn by turn.
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.samples.iter().map(Samples::rate).collect()
    }

    /// Returns the ratio of its rate to another's, turn by turn.
    pub(crate) fn ratio_to(&self, others: &[f64]) -> f64 {
        let ratios = self.rates().into_iter().zip(others).map(|(rate, other)| rate / other);
        median(&ratios.collect::<Vec<_>>())
    }

    /// The time in milliseconds within which so many of a hundred requests were answered.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let latencies = self.samples.iter().map(|round| round.percentile(percent));
        median(&latencies.map(milliseconds).collect::<Vec<_>>())
    }

    /// The server's processor time per request in microseconds.
    pub(crate) fn cost(&self) -> Option<f64> {
        let costs: Option<Vec<_>> = self.samples.iter().map(Samples::cost).collect();
        costs.map(|costs| 1000.0 * median(&costs.into_iter().map(milliseconds).collect::<Vec<_>>()))
    }

    /// How many cores the server used.
    fn busy(&self) -> Option<f64> {
        let shares: Option<Vec<_>> = self.samples.iter().map(Samples::busy).collect();
        shares.map(|shares| median(&shares))
    }

    pub(crate) fn errors(&self) -> u32 {
        self.samples.iter().flat_map(|round| round.wrong().values()).sum()
    }

    /// Returns what went wrong, as text.
    pub(crate) fn error_texts(&self) -> Vec<String> {
        let wrong = self.samples.iter().flat_map(Samples::wrong);
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

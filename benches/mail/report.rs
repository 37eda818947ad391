//! What a run has found: the table for readers, and the same as JSON.

use serde_json::{Value, json};

use crate::outcome::{noise, publish};
use crate::queue::{EMAILS, Queue};
use crate::requests::Requests;

/// Below this, chance alone hardly explains that one kind of request is faster.
const SUSPICIOUS: f64 = 0.01;

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) requests: Requests,
    pub(crate) queue: Queue,
    /// Cores that other programs used meanwhile.
    pub(crate) others: Option<f64>,
}

impl Report {
    /// Prints the table, and writes the JSON to `target/bench/mail.json`.
    pub(crate) fn publish(&self) {
        publish(
            "mail",
            &[self.lines().join(
                "
",
            )],
            &self.json(),
        );
    }

    fn lines(&self) -> Vec<String> {
        let Requests { known, unknown } = &self.requests;
        let (of_known, of_unknown, p) = (median(known), median(unknown), p_value(known, unknown));
        let verdict = if p < SUSPICIOUS { "APART" } else { "not to be told apart" };
        let queue = &self.queue;
        let memory = queue.memory.map_or("not known".to_owned(), |[before, peak, after]| {
            format!("{before:.1} MB before, {peak:.1} at most, {after:.1} after")
        });
        vec![
            format!("reset request, {} of each kind, one at a time, alternately", known.len()),
            format!("  address with an account     {of_known:.3} ms (median)"),
            format!("  address without one         {of_unknown:.3} ms (median)"),
            format!(
                "  difference                  {:+.3} ms, {:+.1} %; rank test p = {p:.3}: {verdict}",
                of_known - of_unknown,
                100.0 * (of_known / of_unknown - 1.0),
            ),
            format!("{EMAILS} e-mails that waited"),
            format!("  sent by the server          {:.0} a second", queue.rate),
            format!("  without a database          {:.0} a second", queue.floor),
            format!("  ratio                       {:.2}", queue.rate / queue.floor),
            format!("  connections                 {}", queue.connections),
            format!("  memory                      {memory}"),
            noise(self.others),
        ]
    }

    fn json(&self) -> Value {
        let Requests { known, unknown } = &self.requests;
        let queue = &self.queue;
        json!({
            "cores_used_by_others": self.others,
            "reset": {
                "each": known.len(),
                "known_ms": median(known),
                "unknown_ms": median(unknown),
                "p_value": p_value(known, unknown),
            },
            "queue": {
                "letters": EMAILS,
                "per_second": queue.rate,
                "floor_per_second": queue.floor,
                "connections": queue.connections,
                "memory_mb": queue.memory,
            },
        })
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How likely ranks as different as these are if nothing but chance makes a difference: the test of
/// Mann and Whitney in its normal approximation. Times in nanoseconds hardly tie.
#[expect(clippy::cast_precision_loss, reason = "thousands are no large numbers")]
fn p_value(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<_> = one.iter().map(|time| (*time, true)).collect();
    all.extend(other.iter().map(|time| (*time, false)));
    all.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let ranks: f64 =
        (1..).zip(&all).filter(|(_, (_, is_one))| *is_one).map(|(rank, _)| f64::from(rank)).sum();
    let (m, n) = (one.len() as f64, other.len() as f64);
    let u = ranks - m * (m + 1.0) / 2.0;
    let z = (u - m * n / 2.0) / (m * n * (m + n + 1.0) / 12.0).sqrt();
    erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The complementary error function of what is not negative, to seven digits (Abramowitz and Stegun,
/// 7.1.28).
fn erfc(x: f64) -> f64 {
    let terms = [
        0.070_523_078_4,
        0.042_282_012_3,
        0.009_270_527_2,
        0.000_152_014_3,
        0.000_276_567_2,
        0.000_043_063_8,
    ];
    let sum = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * x);
    (1.0 + sum).powi(-16)
}

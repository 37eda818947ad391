//! Whether the machine had time for us: what other programs used of it during the run.

use std::fs;
use std::time::{Duration, Instant};

/// Unit of the times in `/proc`; 100 a second on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// The machine at the start of a run.
pub(crate) struct Watch {
    start: Instant,
    others: Option<Duration>,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), others: others() }
    }

    /// How many cores were busy with something else since then; `None` where there is no `/proc`.
    /// To be asked when the servers have ended, because only then their time is known to be ours.
    pub(crate) fn others(&self) -> Option<f64> {
        let theirs = others()?.saturating_sub(self.others?);
        Some(theirs.as_secs_f64() / self.start.elapsed().as_secs_f64())
    }
}

/// Processor time of a process, without its children.
pub(crate) fn cpu_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    times(&stat, 2)
}

/// Returns the processor time of all other processes since the machine started.
fn others() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let all = stat.lines().next()?.strip_prefix("cpu")?;
    let busy = all.split_whitespace().take(3).map(str::parse::<u32>); // user, nice, system
    let all = TICK * busy.sum::<Result<u32, _>>().ok()?;
    let ours = fs::read_to_string("/proc/self/stat").ok()?;
    Some(all.saturating_sub(times(&ours, 4)?))
}

/// The sum of so many fields from field 14 of `proc_pid_stat(5)` on: own time for two of them, that of
/// children that have ended as well for four. The name before them may hold anything but `)`.
pub(crate) fn times(stat: &str, fields: usize) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks = rest.split_whitespace().skip(11).take(fields).map(str::parse::<u32>);
    Some(TICK * ticks.sum::<Result<u32, _>>().ok()?)
}

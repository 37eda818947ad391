//! What other programs used of the machine meanwhile, when PostgreSQL is one of ours.

use std::fs;
use std::time::{Duration, Instant};

use crate::cluster::Cluster;
use crate::machine;

/// The machine since some moment.
pub(crate) struct Watch {
    start: Instant,
    machine: machine::Watch,
    postmaster: Option<u32>,
    cluster: Duration,
}

impl Watch {
    pub(crate) fn start(cluster: Option<&Cluster>) -> Self {
        let postmaster = cluster.and_then(postmaster);
        Self {
            start: Instant::now(),
            machine: machine::Watch::start(),
            postmaster,
            cluster: family(postmaster),
        }
    }

    /// How many cores were busy with something that is not of this bench; `None` where there is no
    /// `/proc`. To be asked when the server has ended.
    pub(crate) fn others(&self) -> Option<f64> {
        let ours = family(self.postmaster).saturating_sub(self.cluster);
        let cores = ours.as_secs_f64() / self.start.elapsed().as_secs_f64();
        Some((self.machine.others()? - cores).max(0.0))
    }
}

/// The process that all processes of a cluster come from.
fn postmaster(cluster: &Cluster) -> Option<u32> {
    let file = fs::read_to_string(cluster.folder().join("data/postmaster.pid")).ok()?;
    file.lines().next()?.parse().ok()
}

/// Processor time of a process, of its children that have ended and of those that live.
fn family(process: Option<u32>) -> Duration {
    let Some(process) = process else { return Duration::ZERO };
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = folders.filter_map(|folder| fs::read_to_string(folder.path().join("stat")).ok());
    stats
        .filter_map(|stat| {
            let (start, rest) = stat.rsplit_once(')')?;
            let is_it = start.split_whitespace().next()?.parse() == Ok(process);
            let is_child = rest.split_whitespace().nth(1)?.parse() == Ok(process);
            let fields = if is_it { 4 } else { 2 };
            if is_it || is_child { machine::times(&stat, fields) } else { None }
        })
        .sum()
}

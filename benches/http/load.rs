//! Driving the server: so many connections that each repeat their workload for a while,
//! and what came of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use tokio::task::JoinSet;

use crate::client::{Connection, Response, runtime};
use crate::server::{Server, on_core};

/// What one connection asks for.
pub(crate) trait Workload: Send + 'static {
    /// The status of every right answer.
    const EXPECTS: u16;

    /// The next request.
    fn request(&self) -> Cow<'_, [u8]>;

    /// Takes from an answer what the next request needs; `false` when it is not there.
    fn learn(&mut self, _answer: &Response<'_>) -> bool {
        true
    }
}

/// How hard the server is driven.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadRun {
    /// Where the load runs; anywhere if `None`.
    pub(crate) core: Option<CoreId>,
    /// For how long requests are sent. Those that are under way then are waited for.
    pub(crate) lasts: Duration,
    /// From one request of a connection to its next; `None` sends as soon as it is answered.
    pub(crate) every: Option<Duration>,
}

/// The result of a run under load.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    latencies: Vec<Duration>,
    wrong: BTreeMap<String, u32>,
    took: Duration,
    cpu: Option<Duration>,
}

impl LoadRun {
    /// Drives the server with one connection per workload, and hands the workloads back.
    pub(crate) fn run<E: Workload>(self, server: &Server, workloads: Vec<E>) -> (Samples, Vec<E>) {
        on_core(self.core, || {
            runtime().block_on(async {
                let connections = connect(server.address, workloads.len()).await;
                let (before, start) = (server.cpu_time(), Instant::now());
                let (mut samples, workloads) = self.all(connections, workloads, start).await;
                samples.took = start.elapsed();
                samples.cpu = before.and_then(|before| server.cpu_time()?.checked_sub(before));
                samples.latencies.sort_unstable();
                (samples, workloads)
            })
        })
    }

    async fn all<E: Workload>(
        self,
        connections: Vec<Connection>,
        workloads: Vec<E>,
        start: Instant,
    ) -> (Samples, Vec<E>) {
        let mut running = JoinSet::new();
        for (connection, workload) in connections.into_iter().zip(workloads) {
            running.spawn(self.one(connection, workload, start));
        }
        let (mut all, mut workloads) = (Samples::default(), Vec::with_capacity(running.len()));
        for (samples, workload) in running.join_all().await {
            all.latencies.extend(samples.latencies);
            for (what, times) in samples.wrong {
                *all.wrong.entry(what).or_default() += times;
            }
            workloads.push(workload);
        }
        (all, workloads)
    }

    async fn one<E: Workload>(
        self,
        mut connection: Connection,
        mut workload: E,
        start: Instant,
    ) -> (Samples, E) {
        let mut samples = Samples::default();
        let mut beat = self.every.map(tokio::time::interval);
        loop {
            if let Some(beat) = &mut beat {
                beat.tick().await;
            }
            if start.elapsed() >= self.lasts {
                return (samples, workload);
            }
            let sent = Instant::now();
            let outcome = match connection.ask(&workload.request()).await {
                Ok(answer) if answer.status != E::EXPECTS => {
                    Err(format!("status {}", answer.status))
                }
                Ok(answer) if !workload.learn(&answer) => Err("answer is incomplete".to_owned()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            };
            samples.latencies.push(sent.elapsed());
            if let Err(what) = outcome {
                samples.wrong.insert(what, 1);
                // One is enough to spoil the run, and a connection may be of no use after it.
                return (samples, workload);
            }
        }
    }
}

impl Samples {
    /// Requests per second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.latencies.len()) / self.took.as_secs_f64()
    }

    /// The time within which so many of a hundred requests were answered.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
        self.latencies.get(rank).copied().unwrap_or_default()
    }

    /// The server's processor time per request.
    pub(crate) fn cost(&self) -> Option<Duration> {
        Some(self.cpu?.div_f64(count(self.latencies.len().max(1))))
    }

    /// How much of one core the server used.
    pub(crate) fn busy(&self) -> Option<f64> {
        Some(self.cpu?.as_secs_f64() / self.took.as_secs_f64())
    }

    /// What went wrong and how often.
    pub(crate) fn wrong(&self) -> &BTreeMap<String, u32> {
        &self.wrong
    }
}

async fn connect(server: SocketAddr, many: usize) -> Vec<Connection> {
    let mut connections = Vec::with_capacity(many);
    for _ in 0..many {
        connections.push(Connection::open(server).await.expect("the server listens"));
    }
    connections
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("seconds of requests, not days"))
}

//! The server as a process of its own: starting it, waiting for it, and reading from `/proc` what it
//! costs.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

use crate::client::{Connection, runtime};
use crate::machine;

/// Longer than any start that is worth measuring.
const GIVE_UP: Duration = Duration::from_secs(30);

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
    pub(crate) ready_after: Duration,
}

/// What a process holds, in megabytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) peak: f64,
}

impl Server {
    /// Starts the server in a folder, on one core or on all, and waits until it is ready.
    pub(crate) fn start(
        folder: &Path,
        address: SocketAddr,
        settings: &[(&str, String)],
        core: Option<CoreId>,
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daemun"));
        command
            .current_dir(folder)
            .env_clear()
            // Names a file that is not there: no Rocket.toml further up is to be found.
            .env("ROCKET_CONFIG", folder.join("Rocket.toml"))
            .env("ROCKET_PORT", address.port().to_string())
            .env("ROCKET_LOG_LEVEL", "critical")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for (name, value) in settings {
            command.env(format!("ROCKET_{}", name.to_uppercase()), value);
        }
        let start = Instant::now();
        let process = on_core(core, || command.spawn().expect("the server can be started"));
        let mut server = Self { process, address, ready_after: Duration::ZERO };
        runtime().block_on(async {
            while !is_ready(address).await {
                assert!(start.elapsed() < GIVE_UP, "the server does not become ready");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        server.ready_after = start.elapsed();
        server
    }

    /// What it holds now and what it held at most; `None` where there is no `/proc`.
    pub(crate) fn memory(&self) -> Option<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kibibytes * 1024.0 / 1e6)
        };
        Some(Memory { resident: megabytes("VmRSS:")?, peak: megabytes("VmHWM:")? })
    }

    /// Forgets what it held at most so far, and returns what it holds now; `None` where there is no
    /// `/proc`.
    pub(crate) fn forget_peak(&self) -> Option<Memory> {
        fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").ok()?;
        self.memory()
    }

    /// Processor time spent so far; `None` where there is no `/proc`.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        machine::cpu_time(self.process.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("the server is ours to stop");
        self.process.wait().expect("a killed process ends");
    }
}

async fn is_ready(server: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(server).await else { return false };
    let answer = connection.ask(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Does something on a thread that stays on one core, and so do the processes that it starts.
pub(crate) fn on_core<T: Send>(core: Option<CoreId>, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let pinned = scope.spawn(|| {
            if let Some(core) = core {
                assert!(core_affinity::set_for_current(core), "the system pins threads");
            }
            work()
        });
        pinned.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// One core for the server and one for the load, where there are two and the system pins threads.
pub(crate) fn two_cores() -> Option<(CoreId, CoreId)> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    Some((*cores.first()?, *cores.get(1)?))
}

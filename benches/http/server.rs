//! The server as a process of its own: starting it on one temporary site again and again, and
//! reading from `/proc` what it costs.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use tempfile::TempDir;

use crate::{machine, people};

/// Longer than any start that is worth measuring.
const GIVE_UP: Duration = Duration::from_secs(30);

/// A folder, a database, and the address at which it is served. The folder stands on the disk of the
/// target directory: a system's temporary folder is often memory, where a commit costs nothing.
pub(crate) struct Site {
    folder: TempDir,
    database_url: String,
    address: SocketAddr,
}

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

impl Site {
    /// A site whose accounts are there, in an empty database or in a file of its own.
    pub(crate) fn with_people(database_url: Option<String>) -> Self {
        let folder =
            TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is ours");
        let file = || format!("sqlite://{}/daemun.db", folder.path().display());
        let database_url = database_url.unwrap_or_else(file);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        drop(listener);
        let site = Self { folder, database_url, address };
        drop(site.serve(None)); // makes the tables
        people::move_in(&site.database_url);
        site
    }

    /// Starts the server, on one core or on all, and waits until it is ready.
    pub(crate) fn serve(&self, core: Option<CoreId>) -> Server {
        let start = Instant::now();
        let process = on_core(core, || self.command().spawn().expect("the server can be started"));
        let mut server = Server { process, address: self.address, ready_after: Duration::ZERO };
        while !is_ready(self.address) {
            assert!(start.elapsed() < GIVE_UP, "the server does not become ready");
            thread::sleep(Duration::from_millis(1));
        }
        server.ready_after = start.elapsed();
        server
    }

    fn command(&self) -> Command {
        let folder = self.folder.path();
        let port = self.address.port().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_daemun"));
        command
            .current_dir(folder)
            .env_clear()
            // Names a file that is not there: no Rocket.toml further up is to be found.
            .env("ROCKET_CONFIG", folder.join("Rocket.toml"))
            .env("ROCKET_PORT", &port)
            .env("ROCKET_PUBLIC_URL", format!("http://localhost:{port}"))
            .env("ROCKET_DATABASE_URL", &self.database_url)
            .env("ROCKET_DATA_DIR", folder)
            .env("ROCKET_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]")
            .env("ROCKET_LOG_LEVEL", "critical")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }
}

impl Server {
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

fn is_ready(server: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(
            b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        )?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).map(|()| status)
    };
    ask().is_ok_and(|status: [u8; 12]| status.ends_with(b" 200"))
}

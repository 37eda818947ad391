//! The server as a process of its own, the superuser who logs in to it, and what it holds.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Connection;
use crate::people::{PASSWORD, ROOT};
use crate::site::runtime;

/// Longer than any start that is worth measuring.
const GIVE_UP: Duration = Duration::from_secs(30);

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

/// The browser of a superuser who is logged in.
pub(crate) struct Staff {
    access: String,
}

impl Server {
    pub(crate) fn start(folder: &Path, port: u16, settings: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_daemun"));
        command
            .current_dir(folder)
            .env_clear()
            // Names a file that is not there: no Rocket.toml further up is to be found.
            .env("ROCKET_CONFIG", folder.join("Rocket.toml"))
            .env("ROCKET_PORT", port.to_string())
            .env("ROCKET_LOG_LEVEL", "critical")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for (name, value) in settings {
            command.env(format!("ROCKET_{}", name.to_uppercase()), value);
        }
        let process = command.spawn().expect("the server can be started");
        let server = Self { process, address: (Ipv4Addr::LOCALHOST, port).into() };
        let start = Instant::now();
        while !runtime().block_on(is_ready(server.address)) {
            assert!(start.elapsed() < GIVE_UP, "the server does not become ready");
            thread::sleep(Duration::from_millis(1));
        }
        server
    }

    /// Logs the superuser in, as a browser does.
    pub(crate) fn log_in(&self) -> Staff {
        runtime().block_on(async {
            let mut connection = Connection::open(self.address).await.expect("the server listens");
            let page = connection.ask(&self.get("/account/login", "")).await;
            let page = page.expect("the server answers");
            let visitor = page.cookie("visitor").expect("a visitor gets a cookie").to_owned();
            let csrf = page.hidden("csrf").expect("the form carries a token").to_owned();
            let answer = connection.ask(&self.post(&visitor, &csrf)).await;
            let answer = answer.expect("the server answers");
            Staff { access: answer.cookie("access").expect("she may come in").to_owned() }
        })
    }

    /// A request for a page, with further lines of the head.
    pub(crate) fn get(&self, path: &str, lines: &str) -> Vec<u8> {
        let port = self.address.port();
        format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nUser-Agent: bench\r\n{lines}\r\n")
            .into_bytes()
    }

    fn post(&self, visitor: &str, csrf: &str) -> Vec<u8> {
        let port = self.address.port();
        let email = ROOT.replace('@', "%40");
        let body = format!("csrf={csrf}&email={email}&password={PASSWORD}");
        format!(
            "POST /account/login HTTP/1.1\r\nHost: localhost:{port}\r\n\
             Origin: http://localhost:{port}\r\nUser-Agent: bench\r\nCookie: visitor={visitor}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Forgets what it held at most so far, and tells what it holds now, in megabytes; `None` where
    /// there is no `/proc`.
    pub(crate) fn forget_peak(&self) -> Option<f64> {
        fs::write(format!("/proc/{}/clear_refs", self.process.id()), "5").ok()?;
        self.peak()
    }

    /// What it held at most since then.
    pub(crate) fn peak(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024.0 / 1e6)
    }
}

impl Staff {
    /// What her browser sends with each request.
    pub(crate) fn cookie(&self) -> String {
        format!("Cookie: access={}\r\n", self.access)
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

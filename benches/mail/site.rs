//! A temporary site, its people, and the server as a process of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use daemun::clock::Clock;
use daemun::config::Settings;
use daemun::ctx::Ctx;
use rocket::figment::Figment;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tempfile::TempDir;

use crate::client::Connection;
use crate::sink::Sink;

/// How many accounts there are.
pub(crate) const PEOPLE: u32 = 10_000;

/// Longer than any start that is worth measuring.
const GIVE_UP: Duration = Duration::from_secs(30);

const MOVE_IN: &str = "INSERT INTO users \
     (email, email_canonical, is_staff, is_superuser, created_at, updated_at) \
     WITH RECURSIVE people(number) AS \
     (SELECT 0 UNION ALL SELECT number + 1 FROM people WHERE number < $1 - 1) \
     SELECT 'person' || number || '@example.com', 'person' || number || '@example.com', \
     number = 0, number = 0, 0, 0 FROM people";

/// A folder with a database on the disk of the target directory: a system's temporary folder is often
/// memory, where a commit costs nothing.
pub(crate) struct Site {
    folder: TempDir,
    address: SocketAddr,
    mail_url: String,
}

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Site {
    /// A site with its people, whose letters go to the sink.
    pub(crate) fn of(sink: &Sink) -> Self {
        let folder =
            TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is ours");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let mail_url = format!("smtp://127.0.0.1:{}", sink.port);
        let site = Self { folder, address, mail_url };
        runtime().block_on(async {
            let ctx = site.open().await;
            let move_in =
                Statement::from_sql_and_values(DbBackend::Sqlite, MOVE_IN, [PEOPLE.into()]);
            ctx.db.writer().execute_raw(move_in).await.expect("accounts can be made");
            ctx.db.close().await;
        });
        site
    }

    /// The site's tools, as its server has them.
    pub(crate) async fn open(&self) -> Ctx {
        let settings = self
            .settings()
            .into_iter()
            .fold(Figment::from(rocket::Config::default()), |figment, (name, value)| {
                figment.merge((name, value))
            });
        let settings = Settings::from_figment(&settings).expect("the settings are right");
        daemun::app::open(settings, Clock::of_the_machine()).await.expect("the site opens")
    }

    fn settings(&self) -> [(&'static str, String); 6] {
        let folder = self.folder.path();
        [
            ("public_url", format!("http://localhost:{}", self.address.port())),
            ("database_url", format!("sqlite://{}/daemun.db", folder.display())),
            ("data_dir", folder.display().to_string()),
            ("mail_url", self.mail_url.clone()),
            ("mail_from", "Gate <no-reply@gate.example>".to_owned()),
            ("secret_key", "0123456789abcdef".repeat(4)),
        ]
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        let folder = self.folder.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_daemun"));
        command
            .current_dir(folder)
            .env_clear()
            // Names a file that is not there: no Rocket.toml further up is to be found.
            .env("ROCKET_CONFIG", folder.join("Rocket.toml"))
            .env("ROCKET_PORT", self.address.port().to_string())
            .env("ROCKET_TRUSTED_PROXIES", "[\"127.0.0.1/32\"]")
            .env("ROCKET_LOG_LEVEL", "critical")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        for (name, value) in self.settings() {
            command.env(format!("ROCKET_{}", name.to_uppercase()), value);
        }
        let process = command.spawn().expect("the server can be started");
        let server = Server { process, address: self.address };
        let start = Instant::now();
        while !runtime().block_on(is_ready(self.address)) {
            assert!(start.elapsed() < GIVE_UP, "the server does not become ready");
            thread::sleep(Duration::from_millis(1));
        }
        server
    }
}

impl Server {
    /// What it holds, in megabytes; `None` where there is no `/proc`.
    pub(crate) fn memory(&self) -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024.0 / 1e6)
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

/// A runtime that stays on the thread that made it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime can be made")
}

//! A throw-away PostgreSQL cluster out of the machine's own binaries, shared by all tests of a run.
//!
//! It listens on a socket in its own folder and never writes to disk what it need not. A small shell
//! watches a pipe to this process and stops the cluster when the process ends, however it ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use daemun::db::Db;
use sea_orm::{ConnectionTrait as _, Database};

use super::process::environment;
use super::world::next_number;

/// A running cluster.
pub(crate) struct Cluster {
    folder: PathBuf,
}

/// Databases are copied from this one, which has all tables.
const TEMPLATE: &str = "daemun_template";

impl Cluster {
    /// The cluster; `None` where the machine has no PostgreSQL.
    pub(crate) fn get() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        CLUSTER
            .get_or_init(|| {
                let Some(binaries) = binaries() else {
                    assert!(
                        environment("DAEMUN_REQUIRE_POSTGRES").is_none(),
                        "DAEMUN_REQUIRE_POSTGRES is set and there is no PostgreSQL on this machine"
                    );
                    let _ = writeln!(
                        std::io::stderr(),
                        "SKIPPED: every test on PostgreSQL, because initdb is not on this machine"
                    );
                    return None;
                };
                Some(Self::start(&binaries))
            })
            .as_ref()
    }

    fn start(binaries: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("daemun-pg-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        let run_as = unprivileged_user();
        if let Some(user) = &run_as {
            assert!(run(Command::new("chown").arg(user).arg(&folder)), "the folder changes hands");
        }
        let prefix = run_as.map_or(String::new(), |user| format!("runuser -u {user} -- "));
        let script = format!(
            r#"
            set -e
            # Whoever interrupts the tests interrupts this shell too, and it has still to clean up.
            trap '' INT TERM HUP
            cd "$2"
            {prefix}"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$2/initdb.log" 2>&1
            {prefix}"$1/pg_ctl" -D "$2/data" -l "$2/log" -w -t 60 -o "-c listen_addresses='' \
                -c unix_socket_directories='$2' -c fsync=off -c synchronous_commit=off \
                -c full_page_writes=off -c max_connections=300 -c shared_buffers=64MB" start >"$2/start.log" 2>&1
            echo ready
            cat >/dev/null
            {prefix}"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null 2>&1 || true
            rm -rf "$2"
            "#
        );
        #[expect(clippy::zombie_processes, reason = "it outlives this process on purpose")]
        let mut watcher = Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg("sh")
            .arg(binaries)
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        // The pipe stays open as long as this process lives.
        std::mem::forget(watcher.stdin.take());
        let mut said = String::new();
        let mut output = std::io::BufReader::new(watcher.stdout.take().expect("a pipe"));
        std::io::BufRead::read_line(&mut output, &mut said).expect("the watcher speaks");
        let log = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(said.trim(), "ready", "{}{}{}", log("initdb.log"), log("start.log"), log("log"));
        Self { folder }
    }

    /// A database of its own with all tables in it.
    pub(crate) async fn new_database(&self) -> String {
        static TEMPLATE_MADE: rocket::tokio::sync::OnceCell<()> =
            rocket::tokio::sync::OnceCell::const_new();
        TEMPLATE_MADE
            .get_or_init(|| async {
                self.execute(&format!("CREATE DATABASE {TEMPLATE}")).await;
                let url = self.url(TEMPLATE).parse().expect("a URL");
                let db = Db::open(&url).await.expect("the template opens");
                db.migrate().await.expect("the tables are made");
                db.close().await;
            })
            .await;
        let name = format!("daemun_{}", next_number());
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        self.url(&name)
    }

    /// A database without tables.
    pub(crate) async fn empty_database(&self) -> String {
        let name = format!("daemun_empty_{}", next_number());
        self.execute(&format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    async fn execute(&self, sql: &str) {
        let admin = Database::connect(self.url("postgres")).await.expect("the cluster answers");
        admin.execute_unprepared(sql).await.expect(sql);
        admin.close().await.expect("the connection closes");
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }
}

/// The folder with `initdb` in it: on the path, or where Debian puts the newest.
fn binaries() -> Option<PathBuf> {
    let on_path = environment("PATH")
        .map(|path| std::env::split_paths(&path).collect::<Vec<_>>())
        .unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    debian.sort();
    let candidates = debian.into_iter().rev().chain(on_path);
    candidates
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// PostgreSQL refuses to run as root: then as its own user, or as nobody.
fn unprivileged_user() -> Option<String> {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let exists = |user: &str| run(Command::new("id").arg(user));
    is_root.then(|| if exists("postgres") { "postgres" } else { "nobody" }.to_owned())
}

fn run(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

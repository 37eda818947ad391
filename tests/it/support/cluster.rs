//! A throw-away PostgreSQL cluster out of the machine's own binaries; a bench uses it too.
//!
//! It listens on a socket in its own folder. A small shell watches a pipe to this process and stops
//! the cluster when the process ends, however it ends. It knows nothing of what is stored in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sea_orm::{ConnectionTrait as _, Database};

/// A running cluster.
pub(crate) struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// Starts one out of the folder with PostgreSQL's binaries, with a locale and settings
    /// (`-c name=value ...`) of its own.
    pub(crate) fn start(binaries: &Path, locale: &str, settings: &str) -> Self {
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
            # An interrupt of the tests reaches this shell too, and it has still to clean up.
            trap '' INT TERM HUP
            cd "$2"
            {prefix}"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale={locale} --no-sync >"$2/initdb.log" 2>&1
            {prefix}"$1/pg_ctl" -D "$2/data" -l "$2/log" -w -t 60 -o "-c listen_addresses='' \
                -c unix_socket_directories='$2' {settings}" start >"$2/start.log" 2>&1
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

    /// Does something for which there is no database yet.
    pub(crate) async fn execute(&self, sql: &str) {
        let admin = Database::connect(self.url("postgres")).await.expect("the cluster answers");
        admin.execute_unprepared(sql).await.expect(sql);
        admin.close().await.expect("the connection closes");
    }

    /// Where it lives.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where one of its databases is.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder().display())
    }
}

/// PostgreSQL refuses to run as root: then as its own user, or as `nobody`, the system's user without rights.
pub(crate) fn unprivileged_user() -> Option<String> {
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

//! A pgbouncer of the machine in front of the tests' cluster, in transaction mode.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::cluster::{Cluster, unprivileged_user};
use super::process::{eventually, free_port};
use super::requirement::{self, Requirement};

/// A running pgbouncer; dropped, it is stopped.
pub(crate) struct PgBouncer {
    port: u16,
    process: Child,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts one with few connections to the server, so that clients share them; `ignored` are the
    /// startup parameters that it drops rather than refuses. `None` where the machine has none.
    pub(crate) fn start(cluster: &Cluster, ignored: &str) -> Option<Self> {
        if !Requirement::PgBouncer.is_met() {
            return None;
        }
        let binary = requirement::pgbouncer()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let server = cluster.folder().display();
        let at = folder.path().display();
        let ini = format!(
            "[databases]\n* = host={server} port=5432\n[pgbouncer]\nlisten_addr=127.0.0.1\n\
             listen_port={port}\nunix_socket_dir=\nauth_type=trust\nauth_file={at}/users.txt\n\
             pool_mode=transaction\ndefault_pool_size=4\nlogfile={at}/log\n\
             ignore_startup_parameters={ignored}\n"
        );
        std::fs::write(folder.path().join("pgbouncer.ini"), ini).expect("written");
        std::fs::write(folder.path().join("users.txt"), "\"postgres\" \"\"\n").expect("written");
        // It refuses to run as root.
        let mut words = Vec::new();
        if let Some(user) = unprivileged_user() {
            let changed = Command::new("chown").arg("-R").arg(&user).arg(folder.path()).status();
            assert!(changed.is_ok_and(|status| status.success()), "the folder changes hands");
            words = ["runuser", "-u", &user, "--"].map(Into::into).to_vec();
        }
        words.push(binary.into_os_string());
        words.push(folder.path().join("pgbouncer.ini").into_os_string());
        // A small shell watches a pipe to this process and stops it when the process ends, however.
        let process = Command::new("sh")
            .args([
                "-c",
                r#"trap '' INT TERM HUP; "$@" </dev/null & cat >/dev/null; kill $!; wait"#,
                "sh",
            ])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let bouncer = Self { port, process, folder };
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(eventually(Duration::from_secs(20), answers), "{}", bouncer.log());
        Some(bouncer)
    }

    /// Where a database of the cluster is behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

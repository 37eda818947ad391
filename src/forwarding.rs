//! What this server has learnt about the proxies that it trusts: that one of them tells something about
//! clients that cannot be read.
//!
//! The log says so once. For `daemun check`, which is another process, it is kept in a file of the data
//! directory until the server starts again. It holds the address of the proxy and nothing of a client.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::owner_only;

/// The notes of one server.
#[derive(Debug)]
pub struct ForwardingDiagnostics {
    file: PathBuf,
    has_unreadable: AtomicBool,
    has_contradiction: AtomicBool,
}

impl ForwardingDiagnostics {
    /// Notes that are kept in this folder.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self {
            file: file_in(data_dir),
            has_unreadable: AtomicBool::new(false),
            has_contradiction: AtomicBool::new(false),
        }
    }

    /// Forgets what a server before this one has noted: its proxy may have been mended since.
    pub fn clear(&self) {
        if let Err(error) = std::fs::remove_file(&self.file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "what was noted about a proxy could not be forgotten");
        }
    }

    /// Notes that a trusted proxy sent what cannot be read; the first time it is logged and kept.
    pub fn report_unreadable(&self, proxy: IpAddr) {
        if self.has_unreadable.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            proxy.address = %proxy,
            "a trusted proxy sends an X-Forwarded-For or Forwarded that cannot be read: \
             everybody behind it counts as one client"
        );
        let file = self.file.clone();
        // A file is written at the pace of a disk, and the request does not depend on it.
        tokio::task::spawn_blocking(move || {
            let written = owner_only::create_file(&file)
                .and_then(|mut file| file.write_all(proxy.to_string().as_bytes()));
            if let Err(error) = written
                && error.kind() != std::io::ErrorKind::AlreadyExists
            {
                tracing::warn!(%error, "what was learnt about a proxy could not be noted");
            }
        });
    }

    /// Notes that the two headers of a request name different clients; the first time it is logged.
    /// One of them is not the proxy's, and a client can send that, so it is no fault in the settings.
    pub fn report_contradiction(&self, proxy: IpAddr) {
        if !self.has_contradiction.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                proxy.address = %proxy,
                "a trusted proxy passes on X-Forwarded-For and Forwarded with different clients; \
                 it should remove the one that it does not write"
            );
        }
    }
}

/// Returns the proxy about which the last server with this data directory has a note.
#[must_use]
pub fn unreadable_proxy(data_dir: &Path) -> Option<IpAddr> {
    std::fs::read_to_string(file_in(data_dir)).ok()?.trim().parse().ok()
}

fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("unreadable_proxy")
}

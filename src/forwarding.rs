//! Diagnostics about trusted proxies: that one of them sends a client address that cannot be read.
//!
//! The log says so once. For `daemun check`, which is another process, a file in the data directory holds
//! the address of the proxy until the server starts again (docs/decisions/0021). Nothing about clients is
//! stored.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::owner_only;

/// The diagnostics of this server.
#[derive(Debug)]
pub struct ForwardingDiagnostics {
    file: PathBuf,
    has_unreadable: AtomicBool,
    has_contradiction: AtomicBool,
}

impl ForwardingDiagnostics {
    /// Creates diagnostics whose file is in this folder.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self {
            file: file_in(data_dir),
            has_unreadable: AtomicBool::new(false),
            has_contradiction: AtomicBool::new(false),
        }
    }

    /// Removes the file of the previous server: its proxy may have been reconfigured since.
    pub fn clear(&self) {
        if let Err(error) = std::fs::remove_file(&self.file)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "the note about a proxy could not be removed");
        }
    }

    /// Reports that a trusted proxy sent an unreadable address; logs and stores it the first time.
    pub fn report_unreadable(&self, proxy: IpAddr) {
        if self.has_unreadable.swap(true, Ordering::Relaxed) {
            return;
        }
        tracing::warn!(
            proxy.address = %proxy,
            "a trusted proxy sends an X-Forwarded-For or Forwarded that cannot be read: \
             all its clients count as one"
        );
        let file = self.file.clone();
        // The request does not depend on this file, so it does not wait for the disk.
        tokio::task::spawn_blocking(move || {
            let written = owner_only::create_file(&file)
                .and_then(|mut file| file.write_all(proxy.to_string().as_bytes()));
            if let Err(error) = written
                && error.kind() != std::io::ErrorKind::AlreadyExists
            {
                tracing::warn!(%error, "the note about a proxy could not be written");
            }
        });
    }

    /// Reports that the two headers of a request name different clients; logs it the first time.
    pub fn report_contradiction(&self, proxy: IpAddr) {
        // Only logged, not stored: a client can cause it, so the settings need not be wrong.
        if !self.has_contradiction.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                proxy.address = %proxy,
                "a trusted proxy passes on X-Forwarded-For and Forwarded with different clients; \
                 it should remove the one that it does not write"
            );
        }
    }
}

/// Returns the proxy that the last server with this data directory has reported.
#[must_use]
pub fn unreadable_proxy(data_dir: &Path) -> Option<IpAddr> {
    std::fs::read_to_string(file_in(data_dir)).ok()?.trim().parse().ok()
}

fn file_in(data_dir: &Path) -> PathBuf {
    data_dir.join("unreadable_proxy")
}

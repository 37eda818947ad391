//! A temporary site with its users, on which the server can be started again and again.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use core_affinity::CoreId;
use tempfile::TempDir;

use crate::server::Server;
use crate::users;

/// A folder, a database, and the address at which it is served. The folder stands on the disk of the
/// target directory: a system's temporary folder is often memory, where a commit costs nothing.
pub(crate) struct Site {
    folder: TempDir,
    database_url: String,
    address: SocketAddr,
}

impl Site {
    /// A site whose accounts are there, in an empty database or in a file of its own.
    pub(crate) fn with_users(database_url: Option<String>) -> Self {
        let folder =
            TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is ours");
        let file = || format!("sqlite://{}/daemun.db", folder.path().display());
        let database_url = database_url.unwrap_or_else(file);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        drop(listener);
        let site = Self { folder, database_url, address };
        drop(site.serve(None)); // makes the tables
        users::insert_users(&site.database_url);
        site
    }

    /// Starts the server, on one core or on all, and waits until it is ready.
    pub(crate) fn serve(&self, core: Option<CoreId>) -> Server {
        let settings = [
            ("public_url", format!("http://localhost:{}", self.address.port())),
            ("database_url", self.database_url.clone()),
            ("data_dir", self.folder.path().display().to_string()),
            ("trusted_proxies", "[\"127.0.0.1/32\"]".to_owned()),
        ];
        Server::start(self.folder.path(), self.address, &settings, core)
    }
}

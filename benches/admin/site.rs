//! A temporary site of one size on one engine.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use tempfile::TempDir;

use crate::client::runtime;
use crate::cluster::Cluster;
use crate::server::Server;
use crate::{tools, users};

/// Where the users are stored.
#[derive(Clone, Copy)]
pub(crate) enum Engine<'a> {
    Sqlite,
    Postgres(&'a Cluster),
}

/// A folder on the disk of the target directory, a database with its users, and the address at
/// which it is served.
pub(crate) struct Site {
    folder: TempDir,
    address: SocketAddr,
    database_url: String,
}

impl Engine<'_> {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

impl Site {
    /// Creates a site with so many users and one superuser more.
    pub(crate) fn with(users: u32, engine: Engine<'_>) -> Self {
        let folder =
            TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is ours");
        runtime().block_on(async {
            let database_url = match engine {
                Engine::Sqlite => format!("sqlite://{}/daemun.db", folder.path().display()),
                Engine::Postgres(cluster) => {
                    cluster.execute(&format!("CREATE DATABASE site_{users}")).await;
                    cluster.url(&format!("site_{users}"))
                }
            };
            users::insert_users(&database_url, users).await;
            let site = Self { folder, address: free_address(), database_url };
            users::create_superuser(&tools::open(site.settings()).await).await;
            users::analyze(&site.database_url).await;
            site
        })
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        Server::start(self.folder.path(), self.address, &self.settings(), None)
    }

    fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("public_url", format!("http://localhost:{}", self.address.port())),
            ("database_url", self.database_url.clone()),
            ("data_dir", self.folder.path().display().to_string()),
            ("secret_key", "0123456789abcdef".repeat(4)),
            // Nobody is to be renewed amid the figures.
            ("access_token_lifetime", "1h".to_owned()),
        ]
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address")
}

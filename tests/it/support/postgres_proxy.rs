//! A proxy in front of PostgreSQL that can stop forwarding: nothing arrives any more, and neither end hangs up.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::postgres::Cluster;
use super::process::{block_on, postgres};

/// The proxy. Connections that were made before a cut stay dead after it.
pub(crate) struct PostgresProxy {
    port: u16,
    database: String,
    /// How often it was cut or mended; odd while it is cut.
    turns: Arc<AtomicU32>,
}

impl PostgresProxy {
    /// A proxy in front of a database of its own; `None` where the machine has no PostgreSQL, which is said.
    pub(crate) fn to_postgres() -> Option<Self> {
        postgres()?;
        let cluster = Cluster::get()?;
        let database = block_on(cluster.empty_database());
        let socket = cluster.folder().join(".s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let turns = Arc::new(AtomicU32::new(0));
        let counted = turns.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connect(client, socket.clone(), &counted);
            }
        });
        Some(Self { port, database, turns })
    }

    /// The URL of the database through the proxy.
    pub(crate) fn url(&self) -> String {
        let Self { port, database, .. } = self;
        format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    pub(crate) fn cut(&self) {
        self.turns.fetch_add(1, Ordering::SeqCst);
    }

    /// New connections get through again.
    pub(crate) fn restore(&self) {
        self.turns.fetch_add(1, Ordering::SeqCst);
    }
}

/// Carries bytes both ways, as long as the proxy is as it was when the connection was made.
fn connect(client: std::net::TcpStream, socket: PathBuf, turns: &Arc<AtomicU32>) {
    let turn = turns.load(Ordering::SeqCst);
    if turn % 2 == 1 {
        // It is taken and never answered.
        std::mem::forget(client);
        return;
    }
    let Ok(server) = UnixStream::connect(socket) else { return };
    let (client_again, server_again) =
        (client.try_clone().expect("a handle"), server.try_clone().expect("a handle"));
    let (there, back) = (turns.clone(), turns.clone());
    thread::spawn(move || carry(client, server, turn, &there));
    thread::spawn(move || carry(server_again, client_again, turn, &back));
}

fn carry(mut from: impl Read, mut to: impl std::io::Write, turn: u32, turns: &AtomicU32) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if turns.load(Ordering::SeqCst) != turn {
            // Neither end hears that this is over.
            std::mem::forget((from, to));
            return;
        }
        if to.write_all(&bytes[..length]).is_err() {
            return;
        }
    }
}

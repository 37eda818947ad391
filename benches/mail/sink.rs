//! A mail server that takes everything and keeps nothing: as little of SMTP as a client needs, on a
//! thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::client::runtime;

/// A mail server that runs until the program ends.
pub(crate) struct Sink {
    pub(crate) port: u16,
    taken: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Sink {
    pub(crate) fn opens() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("a listener has an address").port();
        let (taken, connections) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (counts, connects) = (taken.clone(), connections.clone());
        thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                while let Ok((connection, _)) = listener.accept().await {
                    connects.fetch_add(1, Ordering::Relaxed);
                    tokio::spawn(converse(connection, counts.clone()));
                }
            });
        });
        Self { port, taken, connections }
    }

    /// E-mails so far.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Talks until the other side leaves.
async fn converse(connection: TcpStream, taken: Arc<AtomicUsize>) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut stream = BufReader::new(connection);
    stream.write_all(b"220 sink ESMTP\r\n").await?;
    let mut line = Vec::new();
    let mut is_email = false;
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if is_email && line != b".\r\n" {
            continue;
        }
        taken.fetch_add(usize::from(is_email), Ordering::Relaxed);
        is_email = line.starts_with(b"DATA");
        let reply: &[u8] = if is_email { b"354 go ahead\r\n" } else { b"250 yes\r\n" };
        stream.write_all(reply).await?;
    }
}

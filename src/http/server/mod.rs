//! The program's listener: hyper's HTTP/1 with deadlines for slow clients and bounds on
//! connections, in front of Rocket's routes.
//!
//! Rocket's own server (0.5.2) waits for ever for a head, for the first bytes of a form and for a
//! client that does not read. An application that mounts Daemun and calls `launch()` still runs
//! that server, and needs a proxy. Speaks neither TLS nor HTTP/2: a proxy does.

mod connection;
mod connections;
mod dispatch;
mod limits;
mod listener;
mod signals;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use rocket::local::asynchronous::Client;
use rocket::tokio::select;
use rocket::tokio::sync::watch;
use rocket::tokio::task::JoinSet;
use rocket::tokio::time::{Instant, sleep, timeout};
use rocket::{Build, Rocket};
use thiserror::Error;

pub(in crate::http) use connection::Connection;
use connection::Network;
use connections::{Admitted, Connections};
use dispatch::Application;
use listener::{Listeners, Socket};
use stream::Guarded;

/// Why the program cannot serve.
#[derive(Debug, Error)]
pub enum ServeError {
    /// It cannot listen on its socket.
    #[error("cannot listen: {0}")]
    Bind(#[source] io::Error),
    /// Rocket does not ignite.
    #[error(transparent)]
    Rocket(#[from] Box<rocket::Error>),
}

/// Serves an application until the process is told to stop, and requests in progress are finished.
/// Calls `stopping` when it begins to stop.
pub(crate) async fn serve(
    rocket: Rocket<Build>,
    trusted: &[IpNet],
    unix_socket: Option<&Path>,
    stopping: impl FnOnce(),
) -> Result<(), ServeError> {
    let rocket = rocket.attach(dispatch::BodySizes).ignite().await.map_err(Box::new)?;
    let config = rocket.config().clone();
    let address = SocketAddr::new(config.address, config.port);
    let opened = Listeners::open(address, unix_socket).await;
    let listeners = opened.map_err(ServeError::Bind)?;
    // Before anything is started that a signal must end.
    signals::stop_on(&config.shutdown, &rocket.shutdown());
    let client = Client::untracked(rocket).await.map_err(Box::new)?;

    let (application, mut done) = Application::new(client);
    let mut server = Server {
        connections: Connections::new(limits::connections(open_files()), limits::PER_NETWORK),
        builders: Builders::new(config.keep_alive != 0),
        application,
        trusted,
        tasks: JoinSet::new(),
        stop: watch::Sender::new(false),
        refused: RepeatedWarning::default(),
    };
    server.accept(&listeners).await;
    // New clients are refused at once, or go to another node.
    drop(listeners);

    stopping();
    let grace = Duration::from_secs(config.shutdown.grace.into());
    let mercy = Duration::from_secs(config.shutdown.mercy.into());
    server.stop(grace, mercy).await;
    // A handler runs on when its client has disconnected; wait for it too.
    drop(server);
    let _ = timeout(mercy, done.recv()).await;
    Ok(())
}

/// Returns how many files the process may open.
#[cfg(unix)]
fn open_files() -> u64 {
    rlimit::Resource::NOFILE.get_soft().unwrap_or(1024)
}

/// This system does not count open files.
#[cfg(not(unix))]
fn open_files() -> u64 {
    u64::MAX
}

struct Server<'s> {
    connections: Arc<Connections>,
    builders: Builders,
    application: Application,
    trusted: &'s [IpNet],
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    refused: RepeatedWarning,
}

/// The response when every connection of the client's network, or of all, is busy.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
                      Connection: close\r\n\r\n";

impl Server<'_> {
    /// Accepts connections until the server is told to stop.
    async fn accept(&mut self, listeners: &Listeners) {
        let mut shutdown = pin!(self.application.rocket().shutdown());
        loop {
            select! {
                // Checked first, or a flood of connections could keep the server from stopping.
                biased;
                () = &mut shutdown => return,
                accepted = listeners.accept() => match accepted {
                    Ok((socket, peer)) => self.admit(socket, peer),
                    Err(error) => self.make_room(&error).await,
                },
                // Removes finished tasks.
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
            }
        }
    }

    fn admit(&mut self, socket: Socket, peer: Option<SocketAddr>) {
        let network = Network::of(peer.map(|peer| peer.ip()), self.trusted);
        let Some(admitted) = self.connections.admit(network) else {
            socket.send_at_once(BUSY);
            self.refused.warn("connections are refused: too many requests are being worked on");
            return;
        };
        // Under load `accept` may never remove finished tasks: its first ready branch wins.
        while self.tasks.try_join_next().is_some() {}
        let builder = self.builders.of(&admitted).clone();
        let (application, stop) = (self.application.clone(), self.stop.subscribe());
        let admitted = Arc::new(admitted);
        self.tasks.spawn(serve_connection(builder, application, admitted, socket, peer, stop));
    }

    /// Handles a failed accept.
    async fn make_room(&mut self, error: &io::Error) {
        let is_of_client = matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
        );
        if !is_of_client {
            // Usually there are no files left: then a connection that waits for its client is
            // closed.
            self.refused.warn(&format!("a connection could not be accepted: {error}"));
            self.connections.close_one();
            sleep(limits::ACCEPT_PAUSE).await;
        }
    }

    /// Ends every connection: at once if it has no request, within `grace` if the client has sent
    /// half of one, and after the response if one is being handled, for `mercy` longer at most.
    async fn stop(&mut self, grace: Duration, mercy: Duration) {
        self.stop.send_replace(true);
        if timeout(grace, self.all_end()).await.is_ok() {
            return;
        }
        let deadline = Instant::now() + mercy;
        while Instant::now() < deadline {
            // A connection that waits for its client now has had its grace.
            self.connections.close_waiting();
            if timeout(limits::POLL_INTERVAL, self.all_end()).await.is_ok() {
                return;
            }
        }
        self.tasks.shutdown().await;
    }

    async fn all_end(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Serves one connection until its client closes it, or it must be closed.
async fn serve_connection(
    builder: http1::Builder,
    application: Application,
    admitted: Arc<Admitted>,
    socket: Socket,
    peer: Option<SocketAddr>,
    mut stop: watch::Receiver<bool>,
) {
    let connection = &admitted.connection;
    let socket = TokioIo::new(Guarded::new(socket, connection.clone()));
    let service = service_fn(|request| application.clone().handle(request, peer, admitted.clone()));
    let mut serving = pin!(builder.serve_connection(socket, service));
    // An error here is the client's: it sent no HTTP, or disconnected.
    select! {
        biased;
        _ = &mut serving => return,
        () = connection.closed() => return,
        // Finishes the request in progress and closes instead of waiting for another.
        _ = stop.wait_for(|stops| *stops) => serving.as_mut().graceful_shutdown(),
    }
    select! {
        biased;
        _ = serving => {}
        () = connection.closed() => {}
    }
}

/// hyper's settings, for clients and for proxies.
struct Builders {
    client: http1::Builder,
    proxy: http1::Builder,
}

impl Builders {
    fn new(keep_alive: bool) -> Self {
        let builder = |head| {
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(head)
                .max_buf_size(limits::HEAD_BYTES)
                .keep_alive(keep_alive);
            builder
        };
        Self { client: builder(limits::HEAD), proxy: builder(limits::PROXY_HEAD) }
    }

    fn of(&self, admitted: &Admitted) -> &http1::Builder {
        if admitted.is_trusted() { &self.proxy } else { &self.client }
    }
}

/// A warning that is not repeated for a while: there may be thousands of reasons a second.
#[derive(Default)]
struct RepeatedWarning(Option<Instant>);

impl RepeatedWarning {
    fn warn(&mut self, line: &str) {
        if self.0.is_none_or(|last| last.elapsed() > limits::WARNING_INTERVAL) {
            self.0 = Some(Instant::now());
            tracing::warn!("{line}");
        }
    }
}

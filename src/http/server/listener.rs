//! The sockets that clients connect to: one that systemd hands over, a Unix socket, or a TCP port.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use listenfd::ListenFd;
use rocket::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rocket::tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use rocket::tokio::net::{UnixListener, UnixStream};

/// The mode of our Unix socket: open to its owner and its group, which the proxy must be in.
#[cfg(unix)]
const SOCKET_MODE: u32 = 0o660;

/// Everything that the program listens on.
#[derive(Debug)]
pub(super) struct Listeners {
    listeners: Vec<Listener>,
    /// The file of our own Unix socket, to remove at the end.
    file: Option<PathBuf>,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listeners {
    /// Opens the sockets of the settings; those that systemd has opened for us come first.
    pub(super) async fn open(address: SocketAddr, unix_socket: Option<&Path>) -> io::Result<Self> {
        let handed_over = handed_over()?;
        if !handed_over.is_empty() {
            return Ok(Self { listeners: handed_over, file: None });
        }
        let Some(path) = unix_socket else {
            let listener = Listener::Tcp(TcpListener::bind(address).await?);
            return Ok(Self { listeners: vec![listener], file: None });
        };
        let listener = bind(path).await?;
        Ok(Self { listeners: vec![listener], file: Some(path.to_owned()) })
    }

    /// Accepts a connection, and returns the address of its peer if it has one.
    pub(super) async fn accept(&self) -> io::Result<(Socket, Option<SocketAddr>)> {
        poll_fn(|cx| {
            let accepted = self.listeners.iter().map(|listener| listener.poll_accept(cx));
            accepted.into_iter().find(Poll::is_ready).unwrap_or(Poll::Pending)
        })
        .await
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Listener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Socket, Option<SocketAddr>)>> {
        match self {
            Self::Tcp(listener) => listener.poll_accept(cx).map_ok(|(socket, peer)| {
                // A response is written as a whole, so there is nothing to wait for.
                let _ = socket.set_nodelay(true);
                (Socket::Tcp(socket), Some(peer))
            }),
            #[cfg(unix)]
            Self::Unix(listener) => {
                listener.poll_accept(cx).map_ok(|(socket, _)| (Socket::Unix(socket), None))
            }
        }
    }
}

/// Returns the sockets that systemd has opened for this process (`LISTEN_FDS`, see `sd_listen_fds(3)`).
fn handed_over() -> io::Result<Vec<Listener>> {
    let mut sockets = ListenFd::from_env();
    let mut listeners = Vec::new();
    for number in 0..sockets.len() {
        #[cfg(unix)]
        if let Ok(Some(listener)) = sockets.take_unix_listener(number) {
            // systemd hands over blocking sockets, which would block a thread of the runtime.
            listener.set_nonblocking(true)?;
            listeners.push(Listener::Unix(UnixListener::from_std(listener)?));
            continue;
        }
        // Everything else listens on a port, or is an error.
        if let Some(listener) = sockets.take_tcp_listener(number)? {
            listener.set_nonblocking(true)?;
            listeners.push(Listener::Tcp(TcpListener::from_std(listener)?));
        }
    }
    Ok(listeners)
}

/// Listens on a Unix socket, and replaces one that is left over.
#[cfg(unix)]
async fn bind(path: &Path) -> io::Result<Listener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

    // Any other file is not ours to remove.
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    if is_socket {
        match UnixStream::connect(path).await {
            // No process listens on it: one that was killed has left it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)?;
            }
            _ => return Err(io::ErrorKind::AddrInUse.into()),
        }
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(Listener::Unix(listener))
}

/// This system has no Unix sockets.
#[cfg(not(unix))]
#[expect(clippy::unused_async, reason = "as where there are some")]
async fn bind(_: &Path) -> io::Result<Listener> {
    Err(io::ErrorKind::Unsupported.into())
}

/// One end of a connection.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Socket {
    /// Writes what fits at once, to a client that is refused.
    pub(super) fn send_at_once(&self, bytes: &[u8]) {
        let _ = match self {
            Self::Tcp(socket) => socket.try_write(bytes),
            #[cfg(unix)]
            Self::Unix(socket) => socket.try_write(bytes),
        };
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(socket) => socket.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(cx),
        }
    }
}

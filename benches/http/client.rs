//! HTTP/1.1 with keep-alive, as little of it as the server's answers need: the load must cost less
//! than what it measures. And the runtime on which one asks.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room for every answer of the server, so that one read usually takes all of it.
const ROOM: usize = 32 * 1024;

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, in the connection's buffer.
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    head: &'a str,
    body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(ROOM) })
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Response<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let body_at = loop {
            self.read().await?;
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let length = content_length(text(&self.buffer[..body_at])?)?;
        while self.buffer.len() < body_at + length {
            self.read().await?;
        }
        let (head, body) = self.buffer.split_at(body_at);
        let head = text(head)?;
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        Ok(Response { status: status.ok_or_else(|| broken("no status"))?, head, body })
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl<'a> Response<'a> {
    /// The value of a cookie that the answer sets.
    pub(crate) fn cookie(&self, name: &str) -> Option<&'a str> {
        headers(self.head, "set-cookie").find_map(|cookie| {
            let value = cookie.strip_prefix(name)?.strip_prefix('=')?;
            value.split(';').next().filter(|value| !value.is_empty())
        })
    }

    /// The page that came, if it is text.
    pub(crate) fn page(&self) -> Option<&'a str> {
        std::str::from_utf8(self.body).ok()
    }

    /// The value of a hidden field on the page.
    pub(crate) fn hidden(&self, name: &str) -> Option<&'a str> {
        let (_, rest) = self.page()?.split_once(&format!("name=\"{name}\" value=\""))?;
        rest.split('"').next()
    }
}

fn headers<'a>(head: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    head.split("\r\n").filter_map(move |line| {
        let (this, value) = line.split_once(':')?;
        this.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn content_length(head: &str) -> io::Result<usize> {
    let length = headers(head, "content-length").next().and_then(|value| value.parse().ok());
    length.ok_or_else(|| broken("an answer of unknown length"))
}

fn text(head: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(head).map_err(|_| broken("a head that is not text"))
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// A runtime that stays on the thread that made it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime can be made")
}

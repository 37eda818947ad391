//! A socket with a deadline for clients that do not read, which closes so that a refused client
//! still gets its response.
//!
//! Reading needs no deadline here: hyper bounds the head, and `body.rs` the body.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rocket::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use rocket::tokio::time::{Instant, Sleep, sleep};

use super::connection::Connection;
use super::limits::{LINGER, LINGER_AT_MOST, LINGER_BYTES, STALL};

pub(super) struct Guarded<S> {
    socket: S,
    connection: Arc<Connection>,
    /// Runs while the client reads nothing.
    stall: Option<Pin<Box<Sleep>>>,
    /// Runs while the rest of a refused request is discarded.
    linger: Option<Linger>,
}

struct Linger {
    gap: Pin<Box<Sleep>>,
    ends: Instant,
    discarded: usize,
}

impl Linger {
    fn begin() -> Self {
        let ends = Instant::now() + LINGER_AT_MOST;
        Self { gap: Box::pin(sleep(LINGER)), ends, discarded: 0 }
    }

    fn discard(&mut self, length: usize) {
        self.discarded += length;
        let next = Instant::now() + LINGER;
        self.gap.as_mut().reset(next.min(self.ends));
    }

    fn is_over(&self) -> bool {
        self.discarded >= LINGER_BYTES || Instant::now() >= self.ends
    }
}

impl<S> Guarded<S> {
    pub(super) fn new(socket: S, connection: Arc<Connection>) -> Self {
        Self { socket, connection, stall: None, linger: None }
    }

    /// Fails a write that makes no progress.
    fn in_time(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if self.stall.take().is_some() {
                self.connection.resumes();
            }
            return written;
        }
        let deadline = self.stall.get_or_insert_with(|| {
            // While the client does not read, its connection may be closed in favour of another.
            self.connection.waits();
            Box::pin(sleep(STALL))
        });
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client reads nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.connection.set_unread(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Closes our half. If the client still sends data that nothing will read, discards it first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
            if !this.connection.has_unread() {
                return Poll::Ready(Ok(()));
            }
            this.connection.waits();
        }
        // Closing at once would reset the connection, and the response could be lost.
        let linger = this.linger.get_or_insert_with(Linger::begin);
        while !linger.is_over() {
            let mut bytes = [0; 4096];
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut this.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    linger.discard(buffer.filled().len());
                }
                Poll::Ready(_) => break,
                Poll::Pending => {
                    ready!(linger.gap.as_mut().poll(cx));
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rocket::tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use rocket::tokio::time::{sleep as wait, timeout};

    use super::super::connection::Network;
    use super::super::connections::{Admitted, Connections};
    use super::*;

    fn admitted() -> Admitted {
        Connections::new(9, 9).admit(Network::Trusted).expect("admitted")
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_cut_off_after_a_minute() {
        let (client, socket) = duplex(64);
        let admitted = admitted();
        assert!(admitted.connection.begins());
        let mut guarded = Guarded::new(socket, admitted.connection.clone());
        let begun = Instant::now();

        let error = guarded.write_all(&[0; 1000]).await.expect_err("the client does not read");

        assert_eq!((error.kind(), begun.elapsed()), (io::ErrorKind::TimedOut, STALL));
        assert!(!admitted.connection.is_working(), "one that may be closed for another");
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_slowly_is_not_cut_off() {
        let (mut client, socket) = duplex(64);
        let admitted = admitted();
        assert!(admitted.connection.begins());
        let mut guarded = Guarded::new(socket, admitted.connection.clone());
        let begun = Instant::now();
        let reading = tokio::spawn(async move {
            let mut bytes = [0; 64];
            for _ in 0..20 {
                wait(STALL * 9 / 10).await;
                client.read_exact(&mut bytes).await.expect("more");
            }
        });

        guarded.write_all(&[0; 64 * 20]).await.expect("the client reads");
        assert!(begun.elapsed() > STALL * 15, "{:?}", begun.elapsed());
        assert!(admitted.connection.is_working(), "what is taken is followed by more");
        reading.await.expect("no panic");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_refused_request_is_discarded_for_a_bounded_time() {
        let (mut client, socket) = duplex(64);
        let admitted = admitted();
        let mut guarded = Guarded::new(socket, admitted.connection.clone());
        client.write_all(b"a long form").await.expect("room");
        guarded.read_u8().await.expect("the first byte");
        let sending = tokio::spawn(async move {
            for _ in 0..10 {
                client.write_all(&[0; 64]).await.expect("it is discarded");
            }
            let mut rest = Vec::new();
            client.read_to_end(&mut rest).await.expect("the end");
            client
        });
        let begun = Instant::now();

        guarded.shutdown().await.expect("it ends");

        assert_eq!(begun.elapsed(), LINGER);
        drop(sending.await.expect("nothing was reset"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_more_costs_no_wait() {
        let (client, socket) = duplex(64);
        let admitted = admitted();
        let mut guarded = Guarded::new(socket, admitted.connection.clone());

        let ended = timeout(Duration::from_millis(1), guarded.shutdown()).await;

        assert!(matches!(ended, Ok(Ok(()))));
        drop(client);
    }
}

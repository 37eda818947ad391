//! Reads request bodies, bounded in size and in time: the one place that reads any.
//!
//! The bytes come from Rocket, or from our own listener, which attaches the body to its request. So
//! the bound of each route applies while the bytes arrive, and a route that reads nothing waits for
//! nothing.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use rocket::Request;
use rocket::data::{ByteUnit, Data, ToByteUnit as _};
use rocket::http::Status;
use rocket::tokio::time::{Instant, timeout};

use super::server::Connection;

/// The largest body, in KiB: our forms have a handful of short fields.
const MAX_BODY: u64 = 16;

/// How long a body may take to arrive. A phone on a bad line sends 16 KiB in less; a client that
/// sends a byte a minute is cut off.
const DEADLINE: Duration = Duration::from_secs(10);

/// Reads a whole body, or returns the status that refuses it.
pub(crate) async fn read(request: &Request<'_>, data: Data<'_>) -> Result<Vec<u8>, Status> {
    read_up_to(request, data, MAX_BODY.kibibytes(), DEADLINE).await
}

/// Reads a whole body within other bounds.
pub(crate) async fn read_up_to(
    request: &Request<'_>,
    data: Data<'_>,
    limit: ByteUnit,
    deadline: Duration,
) -> Result<Vec<u8>, Status> {
    if let Some(mut arriving) = Attached::take(request) {
        return arriving.read(limit, deadline).await;
    }
    let body = timeout(deadline, data.open(limit).into_bytes()).await;
    let body = body.map_err(|_| Status::RequestTimeout)?.map_err(|_| Status::BadRequest)?;
    if body.is_complete() { Ok(body.into_inner()) } else { Err(Status::PayloadTooLarge) }
}

/// Returns the first bytes of a body, which can still be read afterwards, or the status that
/// refuses it.
pub(crate) async fn start(
    request: &Request<'_>,
    data: &mut Data<'_>,
    length: usize,
) -> Result<Vec<u8>, Status> {
    let Some(mut arriving) = Attached::take(request) else {
        return Ok(data.peek(length).await.to_vec());
    };
    let arrived = arriving.arrive(length, DEADLINE).await;
    let start = arriving.bytes[..arriving.bytes.len().min(length)].to_vec();
    Attached::put_back(request, arriving);
    arrived.map(|()| start)
}

/// Attaches a body from our own listener to its request.
pub(super) fn attach(request: &Request<'_>, body: Incoming, connection: Arc<Connection>) {
    let arriving = Arriving { bytes: Vec::new(), body, connection, waited: Duration::ZERO };
    request.local_cache(|| Attached(Mutex::new(Some(arriving))));
}

/// The body that is attached to a request, until it is read.
struct Attached(Mutex<Option<Arriving>>);

impl Attached {
    fn of<'r>(request: &'r Request<'_>) -> &'r Mutex<Option<Arriving>> {
        &request.local_cache(|| Self(Mutex::new(None))).0
    }

    fn take(request: &Request<'_>) -> Option<Arriving> {
        Self::of(request).lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put_back(request: &Request<'_>, arriving: Arriving) {
        *Self::of(request).lock().unwrap_or_else(PoisonError::into_inner) = Some(arriving);
    }
}

/// A body on its way.
struct Arriving {
    /// What has arrived so far.
    bytes: Vec<u8>,
    /// The rest.
    body: Incoming,
    connection: Arc<Connection>,
    /// How long we have waited so far.
    waited: Duration,
}

impl Arriving {
    async fn read(&mut self, limit: ByteUnit, deadline: Duration) -> Result<Vec<u8>, Status> {
        let limit = usize::try_from(limit.as_u64()).unwrap_or(usize::MAX);
        // A client that announces too much need not send it.
        if self.body.size_hint().lower() > (limit.saturating_sub(self.bytes.len())) as u64 {
            return Err(Status::PayloadTooLarge);
        }
        // One byte more, to see whether there is more.
        self.arrive(limit.saturating_add(1), deadline).await?;
        if self.bytes.len() > limit {
            return Err(Status::PayloadTooLarge);
        }
        Ok(std::mem::take(&mut self.bytes))
    }

    /// Waits until this many bytes have arrived, or the body ends.
    async fn arrive(&mut self, length: usize, deadline: Duration) -> Result<(), Status> {
        // While it waits for its client, the connection may be closed in favour of another.
        let begun = Instant::now();
        self.connection.waits();
        // All waits of a request count together, or each reader would have a deadline of its own.
        let arrived = timeout(deadline.saturating_sub(self.waited), self.gather(length)).await;
        self.waited += begun.elapsed();
        let is_open = self.connection.works();
        match arrived {
            Ok(true) if is_open => Ok(()),
            // Broken chunks, or a connection that was given up: not an empty body.
            Ok(_) => Err(Status::BadRequest),
            Err(_) => Err(Status::RequestTimeout),
        }
    }

    /// Reads until this many bytes have arrived or the body ends; returns `false` if reading fails.
    async fn gather(&mut self, length: usize) -> bool {
        while self.bytes.len() < length {
            match poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await {
                None => {
                    self.connection.set_unread(false);
                    return true;
                }
                Some(Ok(frame)) => {
                    self.bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Some(Err(_)) => return false,
            }
        }
        true
    }
}

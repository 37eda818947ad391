//! One connection: what it waits for, and where it comes from.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ipnet::IpNet;
use rocket::tokio::sync::Notify;
use rocket::tokio::time::Instant;

use crate::config::is_trusted;
use crate::types::client_network;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Network {
    /// A client network.
    Client(IpAddr),
    /// A peer that speaks for many clients: a trusted proxy, or the other end of a Unix socket.
    Trusted,
}

impl Network {
    /// Returns the network of a peer; `None` is a Unix socket.
    pub(super) fn of(peer: Option<IpAddr>, trusted: &[IpNet]) -> Self {
        // The file system decides which programs may open a Unix socket, so its peers count as
        // proxies.
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return Self::Trusted };
        if is_trusted(peer, trusted) { Self::Trusted } else { Self::Client(client_network(peer)) }
    }
}

/// Its request is being handled.
const WORKING: u64 = 0;

/// It is being closed.
pub(super) const CLOSED: u64 = u64::MAX;

/// One connection.
#[derive(Debug)]
pub(in crate::http) struct Connection {
    pub(super) network: Network,
    /// [`WORKING`], [`CLOSED`], or since when it has waited for its client, in milliseconds after
    /// `epoch`.
    pub(super) state: AtomicU64,
    epoch: Instant,
    closed: Notify,
    has_unread: AtomicBool,
    /// Whether a request is in progress, from its head to the end of its response.
    has_request: AtomicBool,
}

impl Connection {
    pub(super) fn new(network: Network, epoch: Instant) -> Self {
        let closed = Notify::new();
        let connection = Self {
            network,
            state: AtomicU64::new(WORKING),
            epoch,
            closed,
            has_unread: false.into(),
            has_request: false.into(),
        };
        connection.waits();
        connection
    }

    /// Records that the connection waits for its client.
    pub(in crate::http) fn waits(&self) {
        let millis = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(CLOSED - 2);
        // 0 is `WORKING`.
        self.set_state(millis + 1);
    }

    /// Records that a request is being handled; returns `false` if the connection is being closed.
    pub(in crate::http) fn works(&self) -> bool {
        self.set_state(WORKING)
    }

    /// Records that a request has begun; returns `false` if the connection is being closed.
    pub(super) fn begins(&self) -> bool {
        self.has_request.store(true, Ordering::Release);
        self.works()
    }

    /// Records that its response has ended.
    pub(super) fn ends(&self) {
        self.has_request.store(false, Ordering::Release);
        self.waits();
    }

    /// Records that the client has read what it was sent: the request, if there is one, is being
    /// handled again.
    pub(super) fn resumes(&self) {
        if self.has_request.load(Ordering::Acquire) {
            self.works();
        } else {
            self.waits();
        }
    }

    fn set_state(&self, state: u64) -> bool {
        // A closed connection stays closed, whatever arrives.
        let next = |now| (now != CLOSED).then_some(state);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_ok()
    }

    #[cfg(test)]
    pub(super) fn is_working(&self) -> bool {
        self.state.load(Ordering::Acquire) == WORKING
    }

    /// Returns since when the connection waits for its client.
    pub(super) fn waiting_since(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        (state != WORKING && state != CLOSED).then_some(state)
    }

    /// Closes it, unless a request has arrived meanwhile.
    pub(super) fn close(&self) -> bool {
        // One compare-and-swap decides, so a request that arrives now is never cut off.
        let close = |now| (now != WORKING && now != CLOSED).then_some(CLOSED);
        let is_closed = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, close).is_ok();
        if is_closed {
            // This keeps a permit, so a task that does not wait yet hears it later.
            self.closed.notify_one();
        }
        is_closed
    }

    /// Waits until it must be closed.
    pub(super) async fn closed(&self) {
        self.closed.notified().await;
    }

    /// Records whether the client has sent something that nothing has read.
    pub(in crate::http) fn set_unread(&self, has_unread: bool) {
        self.has_unread.store(has_unread, Ordering::Relaxed);
    }

    pub(super) fn has_unread(&self) -> bool {
        self.has_unread.load(Ordering::Relaxed)
    }
}

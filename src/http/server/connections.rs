//! Counts connections, in total and by client network, and decides which one to close when there
//! are too many.
//!
//! At any moment a connection waits either for us to respond, or for its client to send or to read.
//! When a bound is reached, the connection that has waited longest for its client is closed in
//! favour of the new one. So half-open connections keep no client out, and no request is cut off
//! while it is handled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocket::tokio::time::Instant;

use super::connection::{Connection, Network};

/// All connections, with their bounds.
#[derive(Debug)]
pub(super) struct Connections {
    at_most: usize,
    per_network: usize,
    epoch: Instant,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    networks: HashMap<Network, Vec<Arc<Connection>>>,
}

impl Connections {
    pub(super) fn new(at_most: usize, per_network: usize) -> Arc<Self> {
        let open = Mutex::new(Open::default());
        Arc::new(Self { at_most, per_network, epoch: Instant::now(), open })
    }

    /// Admits a connection, if necessary in place of another one; returns `None` if every other one
    /// is busy.
    pub(super) fn admit(self: &Arc<Self>, network: Network) -> Option<Admitted> {
        let mut open = self.open();
        let beside = open.networks.get(&network).map_or(0, Vec::len);
        let is_crowd = network != Network::Trusted && beside >= self.per_network;
        if is_crowd && !open.close_one_of(network) {
            return None;
        }
        // After the network's own bound, which may just have made room.
        if open.count >= self.at_most && !open.close_one() {
            return None;
        }
        let connection = Arc::new(Connection::new(network, self.epoch));
        open.networks.entry(network).or_default().push(connection.clone());
        open.count += 1;
        Some(Admitted { connection, connections: self.clone() })
    }

    /// Closes the connection that has waited longest for its client.
    pub(super) fn close_one(&self) -> bool {
        self.open().close_one()
    }

    /// Closes every connection that waits for its client.
    pub(super) fn close_waiting(&self) {
        let open = self.open();
        for connection in open.networks.values().flatten() {
            connection.close();
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Closes one connection of the largest network.
    fn close_one(&mut self) -> bool {
        // Connections of proxies stay open: each may carry the next request of any client.
        let networks = self.networks.iter().filter(|(network, _)| **network != Network::Trusted);
        let crowds = networks.filter_map(|(network, connections)| {
            let since = connections.iter().filter_map(|it| it.waiting_since()).min()?;
            Some((connections.len(), std::cmp::Reverse(since), *network))
        });
        let crowd = crowds.max_by_key(|(size, since, _)| (*size, *since));
        crowd.is_some_and(|(_, _, network)| self.close_one_of(network))
    }

    fn close_one_of(&mut self, network: Network) -> bool {
        loop {
            let Some(connections) = self.networks.get(&network) else { return false };
            let waiting = connections.iter().filter_map(|it| Some((it.waiting_since()?, it)));
            let longest = waiting.min_by_key(|(since, _)| *since).map(|(_, it)| it.clone());
            let Some(longest) = longest else { return false };
            // A request may have arrived just now; then another connection is closed.
            if longest.close() {
                self.remove(&longest);
                return true;
            }
        }
    }

    fn remove(&mut self, connection: &Arc<Connection>) {
        let Some(connections) = self.networks.get_mut(&connection.network) else { return };
        // It is missing if it was closed in favour of another.
        let position = connections.iter().position(|it| Arc::ptr_eq(it, connection));
        let Some(position) = position else { return };
        connections.swap_remove(position);
        self.count -= 1;
        if connections.is_empty() {
            self.networks.remove(&connection.network);
        }
    }
}

/// An open connection; dropping it removes it from the count.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) connection: Arc<Connection>,
    connections: Arc<Connections>,
}

impl Admitted {
    pub(super) fn is_trusted(&self) -> bool {
        self.connection.network == Network::Trusted
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.open().remove(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use rocket::tokio::time::advance;

    use super::super::connection::CLOSED;
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(Some(address.parse().expect("an address")), &[])
    }

    fn is_closed(admitted: &Admitted) -> bool {
        admitted.connection.state.load(Ordering::Acquire) == CLOSED
    }

    async fn admitted(connections: &Arc<Connections>, address: &str) -> Admitted {
        advance(Duration::from_millis(10)).await;
        connections.admit(network(address)).expect("admitted")
    }

    #[test]
    fn addresses_that_one_subscriber_can_vary_are_one_network() {
        let proxies = ["10.0.0.0/8".parse().expect("a network")];
        let of = |address: &str| Network::of(Some(address.parse().expect("one")), &proxies);

        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_eq!(of("10.1.2.3"), Network::Trusted);
        assert_eq!(of("::ffff:10.1.2.3"), Network::Trusted);
        assert_eq!(Network::of(None, &[]), Network::Trusted);
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_waiting_connection_of_a_network_is_closed_for_a_new_one() {
        let connections = Connections::new(100, 3);
        let working = admitted(&connections, "192.0.2.1").await;
        assert!(working.connection.works());
        let stranger = admitted(&connections, "192.0.2.2").await;
        let first = admitted(&connections, "192.0.2.1").await;
        let second = admitted(&connections, "192.0.2.1").await;

        let third = admitted(&connections, "192.0.2.1").await;

        assert!(is_closed(&first), "it has waited longest");
        assert!(![&working, &stranger, &second, &third].into_iter().any(is_closed));
        assert!(!first.connection.works(), "a request that comes too late is not begun");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_in_progress_are_never_cut_off() {
        let connections = Connections::new(100, 2);
        let working =
            [admitted(&connections, "192.0.2.1").await, admitted(&connections, "192.0.2.1").await];
        assert!(working.iter().all(|it| it.connection.works()));

        assert!(connections.admit(network("192.0.2.1")).is_none());

        working[0].connection.waits();
        assert!(connections.admit(network("192.0.2.1")).is_some());
        assert!(is_closed(&working[0]) && !is_closed(&working[1]));
    }

    #[tokio::test(start_paused = true)]
    async fn at_the_total_bound_the_largest_network_loses_a_connection_and_proxies_do_not() {
        let connections = Connections::new(4, 100);
        let proxy = connections.admit(Network::Trusted).expect("admitted");
        let alone = admitted(&connections, "192.0.2.1").await;
        let crowd =
            [admitted(&connections, "192.0.2.2").await, admitted(&connections, "192.0.2.2").await];

        let latest = admitted(&connections, "192.0.2.3").await;

        assert!(is_closed(&crowd[0]));
        assert!(![&proxy, &alone, &crowd[1], &latest].into_iter().any(is_closed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_dropped_connection_is_no_longer_counted() {
        let connections = Connections::new(2, 2);
        for _ in 0..10 {
            let pair = [
                admitted(&connections, "192.0.2.1").await,
                admitted(&connections, "192.0.2.1").await,
            ];
            assert!(!pair.iter().any(is_closed));
        }
        let third: Vec<_> = (0..3).map(|_| connections.admit(network("192.0.2.1"))).collect();
        assert!(third.iter().all(Option::is_some));

        drop(third);

        assert_eq!(connections.open().count, 0, "each is counted out once");
        assert!(connections.open().networks.is_empty());
    }

    #[tokio::test]
    async fn closing_a_connection_wakes_its_task() {
        let connections = Connections::new(1, 1);
        let first = connections.admit(network("192.0.2.1")).expect("admitted");

        let _second = connections.admit(network("192.0.2.1")).expect("admitted");

        first.connection.closed().await;
    }
}

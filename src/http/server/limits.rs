//! The limits of the listener, each with its reason.

use std::time::Duration;

/// How long a client may take to send the head of a request, counted from when the connection opens
/// or the previous response is out; so it also bounds how long a connection may be idle. A head is
/// a few KiB: a phone on a bad line sends it in less. Browsers open a new connection when they find
/// an old one closed.
pub(super) const HEAD: Duration = Duration::from_secs(10);

/// The same for trusted proxies and for Unix sockets. A proxy keeps idle connections for its next
/// request, and would answer 502 if it sent one just when we close: so the proxy must be the one
/// that closes. nginx does after 60 seconds, Traefik after 90, Caddy after 120.
pub(super) const PROXY_HEAD: Duration = Duration::from_secs(150);

/// How long a client may read nothing of a response. This is about progress: a download of a
/// million rows may take hours, as long as it moves. The kernel asks for more only after it has
/// sent about a third of its buffer, which takes many seconds on a slow line.
pub(super) const STALL: Duration = Duration::from_mins(1);

/// How long we wait for more of a refused request, only to discard it. If we closed at once, the
/// kernel would answer those bytes with a reset, and the client would lose the response that says
/// why.
pub(super) const LINGER: Duration = Duration::from_secs(2);

/// How long that may take in total: a file of 16 MiB at 4 Mbit/s.
pub(super) const LINGER_AT_MOST: Duration = Duration::from_secs(30);

/// How much is discarded. A client that sends four times our largest upload does not read our
/// response.
pub(super) const LINGER_BYTES: usize = 16 << 20;

/// The largest request head, and the most that is read at once. Browsers stay far below; all
/// connections together can make us hold 256 MiB.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// How much of a response is read at once.
pub(super) const CHUNK: usize = 32 << 10;

/// How many connections there may be in total. A small site has a few dozen; each costs about 20
/// KiB, and up to `HEAD_BYTES` while it sends a head.
const CONNECTIONS: u64 = 4096;

/// How many connections one client network may have: an IPv4 address or an IPv6 /64. Trusted
/// proxies are not bounded by it. A school behind one address counts as one.
pub(super) const PER_NETWORK: usize = 256;

/// Open files that are not client connections: the database, e-mails, providers, the log.
const OTHER_FILES: u64 = 96;

/// Returns how many connections fit below the limit of open files.
pub(super) fn connections(open_files: u64) -> usize {
    let others = OTHER_FILES.max(open_files / 4);
    // A server that admits no client is useless, so there are always a few.
    let connections = open_files.saturating_sub(others).clamp(16, CONNECTIONS);
    usize::try_from(connections).expect("a few thousand")
}

/// How long accepting pauses after it failed: usually there is no file left, and one must be
/// closed.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long the log does not repeat that connections are refused.
pub(super) const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// How often a stopping server checks for clients that it waits for.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::connections;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!(connections(u64::MAX), 4096);
        assert_eq!(connections(1024), 768);
        assert_eq!(connections(256), 160);
        assert_eq!(connections(0), 16, "a server that admits no client is useless");
    }
}

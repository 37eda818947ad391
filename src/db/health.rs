//! Keeps track of which connections to the database are still trusted, and whether the server answers in
//! time.
//!
//! Closes no connection itself; the pools ask here before they hand one out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnectionMetadata;
use sea_orm::{DbErr, RuntimeErr};
use tokio::time::timeout;

/// How long a statement may take to PostgreSQL and back, including the wait for a connection.
/// PostgreSQL itself gives up waiting for a lock after 5 seconds and running a statement after
/// 6 seconds (`pool::SETTINGS`), so only a server that has vanished is silent for so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(7);

/// How long a server that has been silent is given less time, so that a request that asks once more
/// still ends within 10 seconds, and others do not queue up behind it.
const SUSPECT_FOR: Duration = Duration::from_secs(5);

/// How long a statement may take on a server that has just been silent.
const SUSPECT_ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The state of the connections of a database, shared by its pools.
#[derive(Debug)]
pub(super) struct Health {
    started: Instant,
    /// Connections that were opened before this many microseconds after the start are not used again.
    distrusted_before: AtomicU64,
    /// Until how many microseconds after the start the server is given less time.
    suspect_until: AtomicU64,
    /// Whether the database is reached over a network, which may fail silently.
    is_remote: bool,
}

impl Health {
    pub(super) fn new(is_remote: bool) -> Self {
        Self {
            started: Instant::now(),
            distrusted_before: AtomicU64::new(0),
            suspect_until: AtomicU64::new(0),
            is_remote,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Closes all connections that are open now as soon as they are idle; only later ones are used.
    pub(super) fn distrust_connections(&self) {
        // The maximum, so that of two failures at once the earlier does not restore trust.
        self.distrusted_before.fetch_max(self.now(), Ordering::AcqRel);
    }

    pub(super) fn trusts(&self, connection: &PoolConnectionMetadata) -> bool {
        // sqlx tells the age of a connection only, so its beginning is computed from now.
        let age = u64::try_from(connection.age.as_micros()).unwrap_or(u64::MAX);
        let distrusted_before = self.distrusted_before.load(Ordering::Acquire);
        distrusted_before == 0 || self.now().saturating_sub(age) > distrusted_before
    }

    pub(super) fn suspect(&self) {
        let until = self.now() + u64::try_from(SUSPECT_FOR.as_micros()).unwrap_or(u64::MAX);
        self.suspect_until.fetch_max(until, Ordering::AcqRel);
    }

    fn is_suspect(&self) -> bool {
        let until = self.suspect_until.load(Ordering::Acquire);
        until != 0 && self.now() < until
    }

    /// Waits for an answer of the database, with a time-out where it is remote.
    pub(super) async fn bounded<T>(
        &self,
        asked: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        if !self.is_remote {
            // SQLite is in this process, and its `busy_timeout` bounds the wait for a lock.
            return asked.await;
        }
        let patience = if self.is_suspect() { SUSPECT_ANSWER_WITHIN } else { ANSWER_WITHIN };
        let Ok(answer) = timeout(patience, asked).await else {
            // Nothing tells how far the statement came, or whether the other connections still work.
            self.distrust_connections();
            self.suspect();
            let why = "the database did not answer in time".to_owned();
            return Err(DbErr::Conn(RuntimeErr::Internal(why)));
        };
        // Read first: a write for every statement would make the cores contend for the value.
        if answer.is_ok() && self.suspect_until.load(Ordering::Acquire) != 0 {
            self.suspect_until.store(0, Ordering::Release);
        }
        answer
    }
}

//! Brings the tables up to date, however many rows there are and however long that takes.
//!
//! On PostgreSQL each migration is a transaction. What takes long with millions of rows comes after all
//! of them, in steps that continue at the next start if the server is stopped: the search is filled in
//! batches, and indexes of large tables are built while others write to them. No step has a time-out. On
//! `SQLite` everything is one transaction (docs/decisions/0017).

mod postgres;

use std::time::{Duration, Instant};

use migrations::{LATE_INDEXES, LateIndex, Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, DbBackend, QueryResult, Statement};
use tokio::time::sleep;

use self::postgres::Node;
use super::{Db, DbError};

/// How often a node that waits or works logs how far it is.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// How soon a lock that another node holds is asked for again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

impl Db {
    /// Brings the tables up to date. Several nodes may do it at once, and a server may be stopped in
    /// between: each migration is applied completely or not at all, and the next start continues.
    ///
    /// # Errors
    /// [`DbError`] when a migration fails; it has not happened then.
    pub async fn migrate(&self) -> Result<(), DbError> {
        if self.writer.get_database_backend() != DbBackend::Postgres {
            return self.migrate_sqlite().await;
        }
        // Without the lock and without a write: the usual start has nothing to do.
        if self.is_finished().await? {
            return self.refuse_read_only().await;
        }
        let node = Node::open(self).await?;
        let outcome = node.migrate().await;
        // Closed also after a failure: the lock belongs to one of its connections.
        node.close().await;
        outcome
    }

    /// Fails on a standby, which has all tables up to date and accepts no writes.
    async fn refuse_read_only(&self) -> Result<(), DbError> {
        match self.writer.execute_unprepared(super::WRITE_CHECK).await.map_err(DbError::from) {
            Err(error) if error.is_read_only() => Err(error),
            _ => Ok(()),
        }
    }

    /// Applies all migrations in one transaction; waits without limit for a process that holds the write lock.
    async fn migrate_sqlite(&self) -> Result<(), DbError> {
        let mut waiting = ProgressLog::now();
        let transaction = loop {
            match self.begin().await {
                Err(error) if error.is_busy() => {
                    if waiting.is_due() {
                        let seconds = waiting.seconds();
                        tracing::info!(seconds, "waiting for another process that writes the file");
                    }
                    sleep(RETRY_AFTER).await;
                }
                outcome => break outcome?,
            }
        };
        Migrator::up(transaction.without_limits(), None).await?;
        transaction.commit().await
    }

    /// Returns whether nothing is left to do, late indexes included, by two cheap queries.
    async fn is_finished(&self) -> Result<bool, DbError> {
        let up_to_date = self.count_applied().await?;
        // Not `>=`: a database of a newer version goes on to the check that refuses it.
        if up_to_date != Some(Migrator::migrations().len()) {
            return Ok(false);
        }
        let rows = self.reader.query_all_raw(statement(STATE)).await?;
        let state = State::of(&rows)?;
        Ok(!state.is_being_filled && state.missing().next().is_none())
    }
}

/// Selects what is left after the migrations: which indexes exist and are valid, whether the search is
/// still being filled, and whether the extension that its index needs exists and is visible.
const STATE: &str = "\
    SELECT c.relname::text, i.indisvalid FROM pg_index i \
        JOIN pg_class c ON c.oid = i.indexrelid \
        JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname = current_schema() \
    UNION ALL SELECT ' filling', TRUE WHERE to_regclass('users_search_fill') IS NOT NULL \
    UNION ALL SELECT ' trigrams', TRUE FROM pg_opclass \
        WHERE opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(oid)";

#[derive(Default)]
struct State {
    whole: Vec<String>,
    broken: Vec<String>,
    is_being_filled: bool,
    has_trigrams: bool,
}

impl State {
    fn of(rows: &[QueryResult]) -> Result<Self, DbError> {
        let mut state = Self::default();
        for row in rows {
            let (name, is_valid): (String, bool) =
                (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            match name.as_str() {
                // The leading space cannot be in the name of one of our indexes.
                " filling" => state.is_being_filled = true,
                " trigrams" => state.has_trigrams = true,
                _ if is_valid => state.whole.push(name),
                _ => state.broken.push(name),
            }
        }
        Ok(state)
    }

    /// Returns the late indexes that can be built and do not exist, or that an interrupted build left invalid.
    fn missing(&self) -> impl Iterator<Item = &'static LateIndex> {
        LATE_INDEXES.iter().filter(|index| {
            let can_be = self.has_trigrams || !index.needs_trigrams;
            can_be && !self.whole.iter().any(|name| name == index.name)
        })
    }
}

/// Limits how often the progress of slow work is logged.
struct ProgressLog {
    since: Instant,
    last: Instant,
}

impl ProgressLog {
    fn now() -> Self {
        let now = Instant::now();
        Self { since: now, last: now }
    }

    fn is_due(&mut self) -> bool {
        let is_due = self.last.elapsed() >= LOG_EVERY;
        if is_due {
            self.last = Instant::now();
        }
        is_due
    }

    fn seconds(&self) -> u64 {
        self.since.elapsed().as_secs()
    }
}

fn statement(sql: impl Into<String>) -> Statement {
    Statement::from_string(DbBackend::Postgres, sql)
}

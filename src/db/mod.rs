//! The database: opening it, bringing its tables up to date, and telling its failures apart.
//! `pool` and `transaction` make sure that what was acknowledged has been written.
//!
//! Knows two engines and nothing of what is stored; the queries are in the features' `store.rs`.

mod after_commit;
pub mod entity;
mod executor;
mod failure;
mod health;
mod migrate;
mod pool;
mod postgres;
mod probe;
mod query_builder;
mod sqlite;
mod transaction;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use migrations::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait as _, DbErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait as _,
};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio::time::timeout;

pub use self::after_commit::{Invalidate, Invalidator};
pub use self::executor::Executor;
pub use self::pool::Pool;
pub use self::probe::connection_error;
pub use self::query_builder::QueryBuilder;
pub use self::transaction::Transaction;
use crate::config::DatabaseUrl;
use crate::owner_only;

/// How long a request waits for a connection or for SQLite's one writer before it is told that the
/// database is busy: longer than a queue under ordinary load, shorter than a user's patience.
const WAIT: Duration = Duration::from_secs(5);

/// For how long the outcome of a write check is reused. Each check costs a commit, and any client may
/// ask for one.
const TRUST_CHECK_FOR: Duration = Duration::from_secs(1);

/// Writes one row. Reading says nothing of a full disk or of a standby.
const WRITE_CHECK: &str = "INSERT INTO write_checks (id, number) VALUES (1, 1) \
    ON CONFLICT (id) DO UPDATE SET number = write_checks.number + 1";

/// The database behind all features.
#[derive(Debug, Clone)]
pub struct Db {
    writer: Pool,
    reader: Pool,
    queries: Arc<AtomicU64>,
    last_check: Arc<Mutex<Option<Checked>>>,
    invalidator: Arc<dyn Invalidator>,
}

/// Whether something could be written, and when.
#[derive(Debug)]
struct Checked {
    at: Instant,
    outcome: Result<(), NotWritable>,
}

/// Why nothing can be written, for the log.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub struct NotWritable(String);

/// Why the database could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The SQLite file or its folder cannot be made.
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A statement failed.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct DbError(#[from] DbErr);

impl Db {
    /// Opens the database; creates a missing SQLite file and its folder.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be opened.
    pub async fn open(given: &DatabaseUrl) -> Result<Self, OpenError> {
        let (mut writer, mut reader) = match given {
            DatabaseUrl::Sqlite(path) => {
                make_file(path)?;
                sqlite::open(path).await?
            }
            DatabaseUrl::Postgres(url) => match postgres::open(url).await {
                Ok(pools) => pools,
                // A pool only says that its time is up; one connection by itself is told the reason.
                Err(error) => return Err(connection_error(given).await.unwrap_or(error).into()),
            },
        };
        let queries = Arc::new(AtomicU64::new(0));
        for pool in [&mut writer, &mut reader] {
            pool.count_in(&queries);
        }
        Ok(Self {
            writer,
            reader,
            queries,
            last_check: Arc::default(),
            invalidator: Arc::new(after_commit::NoCaches),
        })
    }

    /// Returns whether the tables are up to date, without changing anything.
    ///
    /// # Errors
    /// [`DbError`] when the database does not answer.
    pub async fn is_up_to_date(&self) -> Result<bool, DbError> {
        // `count_applied` takes any failure for "no table"; an unreachable database is found here.
        self.ping().await?;
        let applied = self.count_applied().await?;
        // More than ours were applied where a newer version has migrated already.
        Ok(applied.is_some_and(|applied| applied >= Migrator::migrations().len()))
    }

    /// Lets committed transactions invalidate these caches.
    #[must_use]
    pub fn with_invalidator(self, invalidator: Arc<dyn Invalidator>) -> Self {
        Self { invalidator, ..self }
    }

    /// Returns how many migrations were applied; `None` without their table.
    async fn count_applied(&self) -> Result<Option<usize>, DbError> {
        let backend = self.reader.get_database_backend();
        let sql = "SELECT COUNT(*) FROM seaql_migrations";
        let row = self.reader.query_one_raw(Statement::from_string(backend, sql)).await;
        let Ok(Some(row)) = row else { return Ok(None) };
        let applied: i64 = row.try_get_by_index(0)?;
        Ok(usize::try_from(applied).ok())
    }

    /// Returns the pool for reading.
    #[must_use]
    pub fn reader(&self) -> &Pool {
        &self.reader
    }

    /// Returns the pool for one statement that writes and is a transaction of its own.
    #[must_use]
    pub fn writer(&self) -> &Pool {
        &self.writer
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// [`DbError`] when the database is away or stays busy.
    pub async fn begin(&self) -> Result<Transaction, DbError> {
        let options = TransactionOptions {
            // The write lock is taken now: one that is asked for after a read fails at once (BUSY) when
            // another process has written in between, without waiting.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let health = self.writer.health();
        if self.writer.is_pooled() {
            let begun = health.bounded(self.writer.begin_pooled()).await?;
            return Ok(Transaction::new(begun, health.clone(), self.invalidator.clone()));
        }
        let begun = self.writer.connections().begin_with_options(options);
        Ok(Transaction::new(health.bounded(begun).await?, health.clone(), self.invalidator.clone()))
    }

    /// Asks the database whether it is there.
    ///
    /// # Errors
    /// [`DbError`] when it is not.
    pub async fn ping(&self) -> Result<(), DbError> {
        Ok(self.reader.health().bounded(self.reader.connections().ping()).await?)
    }

    /// Finds out whether something can be written, by writing, at most once a second.
    ///
    /// # Errors
    /// [`NotWritable`] when nothing can be written: the disk is full, the database is read-only or
    /// away, or the writer is busy for longer than a request would wait.
    pub async fn check_writable(&self) -> Result<(), NotWritable> {
        // Held during the check: requests that arrive meanwhile wait for its outcome.
        let mut last = self.last_check.lock().await;
        if let Some(Checked { at, outcome }) = &*last
            && at.elapsed() < TRUST_CHECK_FOR
        {
            // Whether it answers at all is asked each time; that is cheap.
            let answers = self.ping().await.map_err(|error| NotWritable(error.to_string()));
            return outcome.clone().and(answers);
        }
        let outcome = match timeout(WAIT, self.writer.execute_unprepared(WRITE_CHECK)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(NotWritable(error.to_string())),
            Err(_) => Err(NotWritable("the writer is busy for too long".to_owned())),
        };
        *last = Some(Checked { at: Instant::now(), outcome: outcome.clone() });
        outcome
    }

    /// Returns how many statements have been sent so far.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only tests count"))]
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Closes the connections.
    pub async fn close(&self) {
        // The writer last: SQLite's last connection puts the write-ahead log away, which writes.
        for pool in [&self.reader, &self.writer] {
            pool.close().await;
        }
    }
}

/// Creates the file and its folder, readable by their owner only.
fn make_file(path: &Path) -> Result<(), OpenError> {
    let failed = |path: &Path, source| OpenError::File { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new(""));
    owner_only::create_dir(folder).map_err(|source| failed(folder, source))?;
    // Before SQLite opens it, which would create it readable for others: it will hold password hashes.
    // SQLite gives its log files the mode of this file.
    match owner_only::create_file(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => Ok(()),
    }
}

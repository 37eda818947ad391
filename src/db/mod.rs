//! The database: opening it, bringing its tables up to date, and telling its failures apart.
//!
//! Knows two engines and nothing of what is stored; the queries are in the features' `store.rs`.

mod connection;
pub mod entity;
mod failure;
mod migrate;
mod postgres;

pub use connection::Connection;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbErr,
    RuntimeErr, SqlErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait as _, sqlx,
};
use thiserror::Error;

use crate::config::DatabaseUrl;
use crate::private;

/// How long a request waits for a connection or for SQLite's one writer before it is told that the
/// database is busy: longer than any honest queue, shorter than a person's patience.
const WAIT: Duration = Duration::from_secs(5);

/// How soon a file that another process is opening is tried again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Readers of a SQLite file. More than the cores of a small machine gain nothing.
const SQLITE_READERS: u32 = 4;

/// The database behind all features.
#[derive(Debug, Clone)]
pub struct Db {
    writer: Connection,
    reader: Connection,
    queries: Arc<AtomicU64>,
}

/// A transaction that writes. Dropped without [`commit`](Transaction::commit) it never happened.
#[derive(Debug)]
pub struct Transaction(DatabaseTransaction);

/// Why the database could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The SQLite file or its folder cannot be made.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database refuses.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// A statement failed.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct DbError(#[from] DbErr);

impl DbError {
    /// Whether it is worth trying again in a moment: the database is away, busy or full, and the
    /// statement is not at fault.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        match &self.0 {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => is_passing(error),
            _ => false,
        }
    }

    /// Whether a unique index refused the statement: somebody else has the value.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        matches!(self.0.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
    }

    /// Whether SQLite says BUSY (5) or LOCKED (6).
    fn is_locked(&self) -> bool {
        let DbErr::Conn(RuntimeErr::SqlxError(error)) = &self.0 else { return false };
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
        code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
    }
}

/// `SQLite`: BUSY 5, LOCKED 6, READONLY 8, IOERR 10, FULL 13, CANTOPEN 14 (the low byte of the code).
/// PostgreSQL: classes 08 (connection), 40 (rollback), 53 (resources), 57 (operator intervention),
/// and 25006 (read-only, as on a standby).
fn is_passing(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        );
    };
    let code = error.code().unwrap_or_default();
    match code.parse::<u32>() {
        Ok(number) if code.len() != 5 => matches!(number & 0xff, 5 | 6 | 8 | 10 | 13 | 14),
        _ => {
            code == "25006" || ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
        }
    }
}

impl Db {
    /// Opens the database; a SQLite file and its folder are made when they are not there.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be opened.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, OpenError> {
        let (mut writer, mut reader) = match url {
            DatabaseUrl::Sqlite(path) => {
                make_file(path)?;
                let writer = connect_first(path).await?;
                let reader = connect(sqlite(path, false)).await?;
                open_all(&reader).await?;
                (Connection::direct(writer), Connection::direct(reader))
            }
            DatabaseUrl::Postgres(url) => {
                let pool = postgres::connect(url).await?;
                (pool.clone(), pool)
            }
        };
        let queries = Arc::new(AtomicU64::new(0));
        for connection in [&mut writer, &mut reader] {
            let queries = queries.clone();
            connection.pool.set_metric_callback(move |_| {
                queries.fetch_add(1, Ordering::Relaxed);
            });
        }
        Ok(Self { writer, reader, queries })
    }

    /// Whether the tables are up to date; only looks.
    ///
    /// # Errors
    /// [`DbError`] when the database does not answer.
    pub async fn is_up_to_date(&self) -> Result<bool, DbError> {
        self.ping().await?;
        let applied = self.count_applied().await?;
        Ok(applied.is_some_and(|applied| applied >= Migrator::migrations().len()))
    }

    /// How many migrations were applied; without their table, nothing has been applied yet.
    async fn count_applied(&self) -> Result<Option<usize>, DbError> {
        let backend = self.reader.get_database_backend();
        let sql = "SELECT COUNT(*) FROM seaql_migrations";
        let row = self.reader.query_one_raw(Statement::from_string(backend, sql)).await;
        let Ok(Some(row)) = row else { return Ok(None) };
        let applied: i64 = row.try_get_by_index(0)?;
        Ok(usize::try_from(applied).ok())
    }

    /// The connection for reading.
    #[must_use]
    pub fn reader(&self) -> &Connection {
        &self.reader
    }

    /// The connection for one statement that writes and is a transaction of its own.
    #[must_use]
    pub fn writer(&self) -> &Connection {
        &self.writer
    }

    /// Begins a transaction that writes. On SQLite it takes the write lock now rather than at its
    /// first write, where it could only fail.
    ///
    /// # Errors
    /// [`DbError`] when the database is away or stays busy.
    pub async fn begin(&self) -> Result<Transaction, DbError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        if self.writer.is_pooled {
            return Ok(Transaction(self.writer.begin_pooled().await?));
        }
        Ok(Transaction(self.writer.pool.begin_with_options(options).await?))
    }

    /// Asks the database whether it is there.
    ///
    /// # Errors
    /// [`DbError`] when it is not.
    pub async fn ping(&self) -> Result<(), DbError> {
        Ok(self.reader.pool.ping().await?)
    }

    /// How many statements have been sent so far.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Closes the connections, so that SQLite can put its log away.
    pub async fn close(&self) {
        for connection in [&self.reader, &self.writer] {
            if let Err(error) = connection.pool.clone().close().await {
                tracing::warn!(%error, "the database did not close");
            }
        }
    }
}

impl Transaction {
    /// The connection to write on.
    #[must_use]
    pub fn connection(&self) -> &DatabaseTransaction {
        &self.0
    }

    /// Begins a part that can be taken back alone; [`commit`](Self::commit) makes it a part of this one.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot.
    pub async fn begin_part(&self) -> Result<Self, DbError> {
        Ok(Self(self.0.begin().await?))
    }

    /// Takes back everything that was written.
    ///
    /// # Errors
    /// [`DbError`] when the database could not be told; it has not happened anyway.
    pub async fn roll_back(self) -> Result<(), DbError> {
        Ok(self.0.rollback().await?)
    }

    /// Makes everything that was written true.
    ///
    /// # Errors
    /// [`DbError`] when the database could not; nothing has happened then.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.0.commit().await?)
    }
}

/// Opens the writer. While another process makes the file or turns it to write-ahead logging, SQLite
/// answers "locked" without waiting; so we ask again for as long as we would have waited.
async fn connect_first(path: &Path) -> Result<DatabaseConnection, DbError> {
    let mut patience = WAIT;
    loop {
        match connect(sqlite(path, true)).await {
            Err(error) if error.is_locked() && !patience.is_zero() => {
                tokio::time::sleep(ASK_AGAIN).await;
                patience = patience.saturating_sub(ASK_AGAIN);
            }
            outcome => return outcome,
        }
    }
}

/// Opens every reader before anybody waits for one. Whoever opens a file at the moment at which its
/// write-ahead log is made may be told that it cannot be opened (14); so we ask again for as long as
/// we would have waited.
async fn open_all(reader: &DatabaseConnection) -> Result<(), DbError> {
    let pool = reader.get_sqlite_connection_pool();
    let mut held = Vec::new();
    let mut patience = WAIT;
    while held.len() < SQLITE_READERS as usize {
        match pool.acquire().await {
            Ok(connection) => held.push(connection),
            Err(error) if is_passing(&error) && !patience.is_zero() => {
                tokio::time::sleep(ASK_AGAIN).await;
                patience = patience.saturating_sub(ASK_AGAIN);
            }
            Err(error) => return Err(DbErr::Conn(RuntimeErr::SqlxError(error.into())).into()),
        }
    }
    Ok(())
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbError> {
    Ok(Database::connect(options).await?)
}

/// Makes the file and its folder, for nobody but their owner: hashes of passwords will be in it.
/// SQLite gives its log files the mode of the file.
fn make_file(path: &Path) -> Result<(), OpenError> {
    let failed = |path: &Path, source| OpenError::File { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new(""));
    private::make_folder(folder).map_err(|source| failed(folder, source))?;
    match private::make_file(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn sqlite(path: &Path, may_write: bool) -> ConnectOptions {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    let connections = if may_write { 1 } else { SQLITE_READERS };
    options
        .max_connections(connections)
        .min_connections(u32::from(may_write))
        .acquire_timeout(WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options: SqliteConnectOptions| {
            let options = options
                .filename(&path)
                .in_memory(false)
                .shared_cache(false)
                .busy_timeout(WAIT)
                .foreign_keys(true)
                .synchronous(SqliteSynchronous::Full)
                .statement_cache_capacity(256);
            if may_write {
                options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal)
            } else {
                options.read_only(true).create_if_missing(false).pragma("query_only", "ON")
            }
        });
    options
}

//! Opening SQLite: one writer and a few readers of one file.
//!
//! A connection is used only while it is in autocommit, and never again after a commit or a roll-back
//! on it has failed (docs/decisions/0015). Knows nothing of what is stored.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};

use super::failure::is_passing;
use super::health::Health;
use super::pool::{Pool, closing};
use super::{DbError, WAIT};

/// How soon a file that another process is opening is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Readers of a SQLite file. More than a small machine has cores would gain nothing.
const SQLITE_READERS: u32 = 4;

/// Opens SQLite's one writer and its readers.
pub(super) async fn open(path: &Path) -> Result<(Pool, Pool), DbError> {
    let pool = |connections, health, may_write| Pool::new(connections, health, may_write, false);
    let health = Arc::new(Health::new(false));
    let writer = pool(connect_first(path, &health).await?, health, true);
    // A health of their own: what fails on the writer says nothing against the readers. They must stay
    // open, because a reader cannot open a file whose write-ahead log was put away.
    let health = Arc::new(Health::new(false));
    let reader = pool(connect(sqlite_options(path, false, &health)).await?, health, false);
    open_all(reader.connections()).await?;
    Ok((writer, reader))
}

/// Opens the writer.
async fn connect_first(path: &Path, health: &Arc<Health>) -> Result<DatabaseConnection, DbError> {
    let mut remaining = WAIT;
    loop {
        match connect(sqlite_options(path, true, health)).await {
            // While another process makes the file or turns it to write-ahead logging, SQLite answers
            // "locked" without waiting for `busy_timeout`; this loop waits instead.
            Err(error) if error.is_busy() && !remaining.is_zero() => {
                tokio::time::sleep(RETRY_AFTER).await;
                remaining = remaining.saturating_sub(RETRY_AFTER);
            }
            outcome => return outcome,
        }
    }
}

/// Opens every reader before a request waits for one.
async fn open_all(reader: &DatabaseConnection) -> Result<(), DbError> {
    let pool = reader.get_sqlite_connection_pool();
    let mut held = Vec::new();
    let mut remaining = WAIT;
    while held.len() < SQLITE_READERS as usize {
        match pool.acquire().await {
            Ok(connection) => held.push(connection),
            // CANTOPEN (14) for a moment, while the write-ahead log is made.
            Err(error) if is_passing(&error) && !remaining.is_zero() => {
                tokio::time::sleep(RETRY_AFTER).await;
                remaining = remaining.saturating_sub(RETRY_AFTER);
            }
            Err(error) => return Err(DbErr::Conn(RuntimeErr::SqlxError(error.into())).into()),
        }
    }
    Ok(())
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbError> {
    Ok(Database::connect(options).await?)
}

/// Returns whether a SQLite connection may be used: it is trusted and in autocommit.
fn may_use(connection: &sqlx::SqliteConnection, is_trusted: bool) -> bool {
    if !is_trusted {
        return closing("a commit or a roll-back has failed");
    }
    // SQLite rolls back by itself when it cannot write. sqlx's own ROLLBACK then fails, and sqlx, which
    // still counts a transaction, would take the release of a savepoint for the next commit. Its count
    // is an atomic load; nothing is asked of SQLite.
    !connection.is_in_transaction() || closing("a transaction on it could not be ended")
}

fn sqlite_options(path: &Path, may_write: bool, health: &Arc<Health>) -> ConnectOptions {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    let connections = if may_write { 1 } else { SQLITE_READERS };
    let health = health.clone();
    options
        .max_connections(connections)
        .min_connections(u32::from(may_write))
        .acquire_timeout(WAIT)
        // Never closed for their age: opening a file again gains nothing, and may fail for a reader.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_pool_opts(move |pool| {
            let (released, acquired) = (health.clone(), health.clone());
            pool.after_release(move |connection, metadata| {
                let is_trusted = released.trusts(&metadata);
                Box::pin(async move {
                    if is_trusted && connection.is_in_transaction() {
                        // The roll-back of a dropped transaction waits to be sent; the ping is
                        // answered after it.
                        connection.ping().await?;
                    }
                    Ok(may_use(connection, is_trusted))
                })
            })
            .before_acquire(move |connection, metadata| {
                let is_trusted = acquired.trusts(&metadata);
                Box::pin(async move { Ok(may_use(connection, is_trusted)) })
            })
        })
        .map_sqlx_sqlite_opts(move |options: SqliteConnectOptions| {
            let options = options
                .filename(&path)
                .in_memory(false)
                .shared_cache(false)
                .busy_timeout(WAIT)
                .foreign_keys(true)
                // What was acknowledged is on disk: NORMAL syncs the log at checkpoints only.
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

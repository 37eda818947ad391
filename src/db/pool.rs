//! Pools of connections: opening them, and closing each connection that cannot be relied on.
//!
//! A connection is used only while it is in autocommit, and never again after a commit or a roll-back
//! on it has failed. Knows nothing of what is stored.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sqlx::pool::PoolConnectionMetadata;
use sea_orm::sqlx::postgres::{PgConnection, PgPoolOptions};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::sqlx::{self, Connection as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, ExecResult, QueryResult, RuntimeErr, Statement, TransactionTrait as _,
};
use tokio::time::timeout;

use super::failure::is_passing;
use super::postgres;
use super::postgres::SETTINGS;
use super::{DbError, WAIT};

/// How soon a file that another process is opening is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Readers of a SQLite file. More than the cores of a small machine gain nothing.
const SQLITE_READERS: u32 = 4;

/// How long a statement may take on its way to PostgreSQL and back, with the wait for a connection.
/// PostgreSQL itself gives up waiting for a lock after 5 seconds and running a statement after
/// 6 seconds ([`SETTINGS`]), so only a server that has vanished says nothing for so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(7);

/// The same for the first answer of an idle connection, which costs a server nothing.
const PING_WITHIN: Duration = Duration::from_secs(1);

/// How long a server that has been silent is given less time, so that a request that asks once more
/// still ends within 10 seconds, and others do not queue up behind it.
const SUSPECT_FOR: Duration = Duration::from_secs(5);

/// The time that it is given then.
const SUSPECT_ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// What has been learned about the connections of a database, shared by its pools.
#[derive(Debug)]
pub(super) struct Health {
    started: Instant,
    /// Connections that were opened before this many microseconds after the start are not used again.
    distrusted_before: AtomicU64,
    /// Until how many microseconds after the start the server is given less time.
    suspect_until: AtomicU64,
    /// Whether the database is at the other end of a wire, and may vanish without a word.
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

    /// From now on uses only connections that are opened later.
    pub(super) fn distrust_connections(&self) {
        self.distrusted_before.fetch_max(self.now(), Ordering::AcqRel);
    }

    fn trusts(&self, connection: &PoolConnectionMetadata) -> bool {
        let age = u64::try_from(connection.age.as_micros()).unwrap_or(u64::MAX);
        let distrusted_before = self.distrusted_before.load(Ordering::Acquire);
        distrusted_before == 0 || self.now().saturating_sub(age) > distrusted_before
    }

    fn suspect(&self) {
        let until = self.now() + u64::try_from(SUSPECT_FOR.as_micros()).unwrap_or(u64::MAX);
        self.suspect_until.fetch_max(until, Ordering::AcqRel);
    }

    fn is_suspect(&self) -> bool {
        let until = self.suspect_until.load(Ordering::Acquire);
        until != 0 && self.now() < until
    }

    /// Waits for an answer of the database, but not for ever.
    pub(super) async fn bounded<T>(
        &self,
        asked: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        if !self.is_remote {
            return asked.await;
        }
        let patience = if self.is_suspect() { SUSPECT_ANSWER_WITHIN } else { ANSWER_WITHIN };
        let Ok(answer) = timeout(patience, asked).await else {
            self.distrust_connections();
            self.suspect();
            let why = "the database did not answer in time".to_owned();
            return Err(DbErr::Conn(RuntimeErr::Internal(why)));
        };
        if answer.is_ok() && self.suspect_until.load(Ordering::Acquire) != 0 {
            self.suspect_until.store(0, Ordering::Release);
        }
        answer
    }
}

/// A pool on which each statement is a transaction of its own.
///
/// A statement with values is prepared first and run then, in two messages. A pooler in transaction mode
/// may send them to two servers unless they are in one explicit transaction; so behind a pooler each
/// statement is wrapped in one, which also tells the server what the connection could not.
#[derive(Debug, Clone)]
pub struct Pool {
    connections: DatabaseConnection,
    health: Arc<Health>,
    may_write: bool,
    is_pooled: bool,
}

impl Pool {
    /// Which engine it is.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.connections.get_database_backend()
    }

    /// sea-orm's own handle, for those who bound their waiting themselves.
    pub(super) fn connections(&self) -> &DatabaseConnection {
        &self.connections
    }

    /// Whether a pooler such as pgbouncer is between this program and PostgreSQL.
    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Begins a transaction behind a pooler. Statements of other clients that share the server are
    /// forgotten first: the names under which ours are prepared could be theirs.
    pub(super) async fn begin_pooled(&self) -> Result<DatabaseTransaction, DbErr> {
        let transaction = self.connections.begin().await?;
        let settings = SETTINGS.map(|(name, value)| format!("SET LOCAL {name} = '{value}'"));
        let sql = format!("DEALLOCATE ALL; {}", settings.join("; "));
        transaction.execute_unprepared(&sql).await?;
        Ok(transaction)
    }

    /// Runs one statement in a transaction of its own, behind a pooler.
    async fn alone<T>(
        &self,
        run: impl AsyncFnOnce(&DatabaseTransaction) -> Result<T, DbErr>,
    ) -> Result<T, DbErr> {
        let asked = async {
            let transaction = self.begin_pooled().await?;
            let answer = run(&transaction).await?;
            let committed = transaction.commit().await;
            committed.inspect_err(|_| self.health.distrust_connections())?;
            Ok(answer)
        };
        self.health.bounded(asked).await
    }

    pub(super) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Adds up in `queries` how many statements are sent.
    pub(super) fn count_in(&mut self, queries: &Arc<AtomicU64>) {
        let queries = queries.clone();
        self.connections.set_metric_callback(move |_| {
            queries.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Closes the connections, but does not wait for ever for one that is in use.
    pub(super) async fn close(&self) {
        match timeout(WAIT, self.connections.clone().close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the database did not close"),
            Err(_) => tracing::warn!("the database did not close in time"),
        }
    }
}

#[async_trait]
impl ConnectionTrait for Pool {
    fn get_database_backend(&self) -> DbBackend {
        self.connections.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        if self.is_pooled {
            return self.alone(async |transaction| transaction.execute_raw(statement).await).await;
        }
        self.health.bounded(self.connections.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        if self.is_pooled {
            return self.alone(async |transaction| transaction.execute_unprepared(sql).await).await;
        }
        self.health.bounded(self.connections.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if self.may_write || self.is_pooled {
            // The statement commits after its last row. sqlx stops at the first one and never hears
            // of a commit that fails, so all are read.
            return Ok(self.query_all_raw(statement).await?.into_iter().next());
        }
        self.health.bounded(self.connections.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if self.is_pooled {
            return self
                .alone(async |transaction| transaction.query_all_raw(statement).await)
                .await;
        }
        self.health.bounded(self.connections.query_all_raw(statement)).await
    }
}

/// Opens SQLite's one writer and its readers.
pub(super) async fn sqlite(path: &Path) -> Result<(Pool, Pool), DbError> {
    // What fails on the writer says nothing against the readers. They stay open: a reader cannot open
    // a file whose write-ahead log was put away because no process had it open.
    let pool =
        |connections, health, may_write| Pool { connections, health, may_write, is_pooled: false };
    let health = Arc::new(Health::new(false));
    let writer = pool(connect_first(path, &health).await?, health, true);
    let health = Arc::new(Health::new(false));
    let reader = pool(connect(sqlite_options(path, false, &health)).await?, health, false);
    open_all(&reader.connections).await?;
    Ok((writer, reader))
}

/// Opens connections to PostgreSQL, which write and read.
pub(super) async fn postgres(url: &str) -> Result<(Pool, Pool), DbError> {
    let health = Arc::new(Health::new(true));
    let (connections, is_pooled) = postgres::connect(url, &health).await?;
    let pool = |may_write| {
        let (connections, health) = (connections.clone(), health.clone());
        Pool { connections, health, may_write, is_pooled }
    };
    Ok((pool(true), pool(false)))
}

/// Opens the writer. While another process makes the file or turns it to write-ahead logging, SQLite
/// answers "locked" without waiting; so we ask again for as long as we would have waited.
async fn connect_first(path: &Path, health: &Arc<Health>) -> Result<DatabaseConnection, DbError> {
    let mut patience = WAIT;
    loop {
        match connect(sqlite_options(path, true, health)).await {
            Err(error) if error.is_busy() && !patience.is_zero() => {
                tokio::time::sleep(RETRY_AFTER).await;
                patience = patience.saturating_sub(RETRY_AFTER);
            }
            outcome => return outcome,
        }
    }
}

/// Opens every reader before a request waits for one. A file that is opened at the moment at which its
/// write-ahead log is made may be called one that cannot be opened (14); so we ask again for as long as
/// we would have waited.
async fn open_all(reader: &DatabaseConnection) -> Result<(), DbError> {
    let pool = reader.get_sqlite_connection_pool();
    let mut held = Vec::new();
    let mut patience = WAIT;
    while held.len() < SQLITE_READERS as usize {
        match pool.acquire().await {
            Ok(connection) => held.push(connection),
            Err(error) if is_passing(&error) && !patience.is_zero() => {
                tokio::time::sleep(RETRY_AFTER).await;
                patience = patience.saturating_sub(RETRY_AFTER);
            }
            Err(error) => return Err(DbErr::Conn(RuntimeErr::SqlxError(error.into())).into()),
        }
    }
    Ok(())
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, DbError> {
    Ok(Database::connect(options).await?)
}

/// Logs that a connection is closed, and so why another one is opened.
fn closing(why: &'static str) -> bool {
    tracing::warn!(why, "a connection to the database is closed and another one opened");
    false
}

/// Whether a SQLite connection may be used: it is trusted and in autocommit. Asks nothing of SQLite;
/// sqlx knows how many transactions it believes to be open.
fn may_use(connection: &sqlx::SqliteConnection, is_trusted: bool) -> bool {
    if !is_trusted {
        return closing("a commit or a roll-back has failed");
    }
    // SQLite rolls back by itself when it cannot write. sqlx's own ROLLBACK then fails, sqlx goes on
    // believing in the transaction, and would take the release of a savepoint for the next commit.
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

/// Whether PostgreSQL answers on this connection and says that it is in autocommit. sqlx looks at the
/// state that the server reports after the statement that is to begin a transaction, and says that
/// none has begun. A BEGIN whose answer was not waited for is found here; a mere ping costs as much
/// and finds nothing.
async fn is_in_autocommit(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        return Ok(false);
    }
    match connection.begin_with("SELECT 1").await {
        Err(sqlx::Error::BeginFailed) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Has PostgreSQL's connections looked at whenever one is given back or handed out.
pub(super) fn watched(pool: PgPoolOptions, health: &Arc<Health>, is_pooled: bool) -> PgPoolOptions {
    let (released, acquired) = (health.clone(), health.clone());
    pool.after_release(move |connection, metadata| {
        let is_trusted = released.trusts(&metadata);
        Box::pin(async move {
            if !is_trusted {
                // An error closes it without a farewell, which may never be read.
                return Err(sqlx::Error::WorkerCrashed);
            }
            if connection.is_in_transaction() {
                return Ok(closing("a transaction is open on it"));
            }
            if is_pooled {
                // The next transaction may be on another server, which knows none of them.
                connection.clear_cached_statements().await?;
            }
            Ok(true)
        })
    })
    .before_acquire(move |connection, metadata| {
        let health = acquired.clone();
        Box::pin(async move {
            if !health.trusts(&metadata) {
                return Err(sqlx::Error::WorkerCrashed);
            }
            let Ok(answer) = timeout(PING_WITHIN, is_in_autocommit(connection)).await else {
                health.suspect();
                return Err(sqlx::Error::PoolTimedOut);
            };
            Ok(answer? || closing("a transaction is open on it"))
        })
    })
}

//! One node that migrates PostgreSQL: it takes the lock, applies the migrations, fills the search and builds the
//! late indexes.
//!
//! Uses connections of its own, because those of the server have time-outs that a migration must not have.

use std::time::Instant;

use migrations::{LateIndex, Migrator, MigratorTrait as _, SchemaManager};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbErr, QueryResult, RuntimeErr,
    TransactionTrait as _,
};
use tokio::select;
use tokio::time::{MissedTickBehavior, interval_at, sleep};

use super::{LOG_EVERY, ProgressLog, RETRY_AFTER, STATE, State, statement};
use crate::db::{Db, DbError};

/// The advisory lock that is held while migrations run, so that nodes that start at once take turns. Any
/// number that no other program uses will do; this one spells "daemun".
const LOCK: i64 = 0x6461_656d_756e;

/// How long a migration waits in the queue for a table. Every later statement waits behind it.
const IN_QUEUE: &str = "3s";

/// PostgreSQL's `lock_not_available`.
const NOT_AVAILABLE: &str = "55P03";

/// One connection holds the lock, one works, one watches its progress.
const CONNECTIONS: u32 = 3;

/// Users in a batch of the search: a second's work at most.
const BATCH: u64 = 10_000;

/// A node that brings PostgreSQL's tables up to date, with connections of its own that have no time-out.
pub(super) struct Node {
    pool: DatabaseConnection,
    is_pooled: bool,
}

impl Node {
    pub(super) async fn open(db: &Db) -> Result<Self, DbError> {
        let is_pooled = db.writer.is_pooled();
        let known = db.writer.connections().get_postgres_connection_pool().connect_options();
        let mut options: PgConnectOptions = (*known).clone();
        if !is_pooled {
            // The options that were cloned carry the time-outs of requests.
            options = options.options([
                ("lock_timeout", "0"),
                ("statement_timeout", "0"),
                ("idle_in_transaction_session_timeout", "0"),
            ]);
        }
        let mut pool = PgPoolOptions::new().max_connections(CONNECTIONS);
        if is_pooled {
            pool = pool.after_release(|connection, _| {
                Box::pin(async move {
                    sea_orm::sqlx::Connection::clear_cached_statements(connection).await?;
                    Ok(true)
                })
            });
        }
        let failed = |error| DbErr::Conn(RuntimeErr::SqlxError(std::sync::Arc::new(error)));
        let pool = pool.connect_with(options).await.map_err(failed)?;
        Ok(Self { pool: pool.into(), is_pooled })
    }

    pub(super) async fn close(self) {
        if let Err(error) = self.pool.close().await {
            tracing::warn!(%error, "a connection for migrations did not close");
        }
    }

    /// Begins a transaction whose only time-out is that for the queue of a table.
    async fn begin(&self, lock_timeout: &str) -> Result<DatabaseTransaction, DbError> {
        let transaction = self.pool.begin().await?;
        // As in `Pool::begin_pooled`: names of prepared statements may be another client's.
        let forget = if self.is_pooled { "DEALLOCATE ALL; " } else { "" };
        let sql = format!(
            "{forget}SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{lock_timeout}'; \
             SET LOCAL idle_in_transaction_session_timeout = 0"
        );
        transaction.execute_unprepared(&sql).await?;
        Ok(transaction)
    }

    pub(super) async fn migrate(&self) -> Result<(), DbError> {
        let lock = self.lock().await?;
        self.apply(&lock).await?;
        self.fill_search(&lock).await?;
        self.build_indexes(&lock).await?;
        lock.0.rollback().await?;
        Ok(())
    }

    /// Takes the lock, and waits without limit for another node that has it.
    async fn lock(&self) -> Result<Lock, DbError> {
        let mut waiting = ProgressLog::now();
        loop {
            // The lock belongs to a transaction, because behind a pooler a session has no server of its
            // own. The transaction does nothing else, so it keeps no snapshot and no old rows alive.
            let transaction = self.begin("0").await?;
            // `try`: a node that waited in one long statement would have a snapshot, for which
            // `CREATE INDEX CONCURRENTLY` on the other node waits, and neither would ever go on.
            let sql = format!("SELECT pg_try_advisory_xact_lock({LOCK})");
            let row = transaction.query_one_raw(statement(sql)).await?;
            let is_ours: Option<bool> = row.map(|row| row.try_get_by_index(0)).transpose()?;
            if is_ours == Some(true) {
                return Ok(Lock(transaction));
            }
            transaction.rollback().await?;
            if waiting.is_due() {
                let seconds = waiting.seconds();
                tracing::info!(
                    seconds,
                    "waiting for another node that brings the tables up to date"
                );
            }
            sleep(RETRY_AFTER).await;
        }
    }

    /// Applies what is not applied yet, each migration in a transaction.
    async fn apply(&self, lock: &Lock) -> Result<(), DbError> {
        let transaction = self.begin("0").await?;
        Migrator::install(&transaction).await?;
        let rows =
            transaction.query_all_raw(statement("SELECT version FROM seaql_migrations")).await?;
        let applied: Vec<String> =
            rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
        // Refuses tables of a version that is newer than this one.
        Migrator::get_pending_migrations(&transaction).await?;
        transaction.commit().await?;
        for migration in Migrator::migrations() {
            let name = migration.name();
            if applied.iter().any(|other| other == name) {
                continue;
            }
            let mut waiting = ProgressLog::now();
            loop {
                lock.holds().await?;
                let transaction = self.begin(IN_QUEUE).await?;
                // One transaction for the tables and the record, so neither is there without the other.
                let done = async {
                    migration.up(&SchemaManager::new(&transaction)).await?;
                    let record = format!(
                        "INSERT INTO seaql_migrations (version, applied_at) \
                         VALUES ('{name}', extract(epoch FROM now())::bigint)"
                    );
                    transaction.execute_unprepared(&record).await.map(drop)
                };
                match done.await.map_err(DbError::from) {
                    Ok(()) => {
                        transaction.commit().await?;
                        // A new database needs no line for each migration.
                        if !applied.is_empty() {
                            tracing::info!(migration = name, "a migration was applied");
                        }
                        break;
                    }
                    // Out of the queue and in again, so that the statements behind it get their turn.
                    Err(error) if error.has_code(NOT_AVAILABLE) => {
                        transaction.rollback().await?;
                        if waiting.is_due() {
                            let seconds = waiting.seconds();
                            tracing::info!(migration = name, seconds, "waiting for a table");
                        }
                        sleep(RETRY_AFTER).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Fills the search where the migration left that for later.
    async fn fill_search(&self, lock: &Lock) -> Result<(), DbError> {
        let sql = "SELECT to_regclass('users_search_fill') IS NOT NULL";
        let row = self.ask(sql).await?;
        if !row.try_get_by_index::<bool>(0)? {
            return Ok(());
        }
        let mut said = ProgressLog::now();
        loop {
            lock.holds().await?;
            let transaction = self.begin("0").await?;
            // A trigger copies users who are created or change meanwhile, and its rows are newer: DO
            // NOTHING leaves them alone. FOR KEY SHARE lets no user be deleted while being copied.
            let sql = format!(
                "WITH batch AS ( \
                     SELECT id, email, name FROM users \
                     WHERE id > (SELECT last_id FROM users_search_fill) \
                     ORDER BY id LIMIT {BATCH} FOR KEY SHARE \
                 ), copied AS ( \
                     INSERT INTO users_search (id, text) \
                     SELECT id, lower(email || ' ' || name) FROM batch ON CONFLICT (id) DO NOTHING \
                 ) \
                 SELECT max(id), (SELECT max(id) FROM users) FROM batch"
            );
            let row = transaction.query_one_raw(statement(sql)).await?;
            let place =
                row.as_ref().map(|row| row.try_get_by_index::<Option<i64>>(0)).transpose()?;
            let last =
                row.as_ref().map(|row| row.try_get_by_index::<Option<i64>>(1)).transpose()?;
            let Some(place) = place.flatten() else {
                transaction.execute_unprepared("DROP TABLE users_search_fill").await?;
                transaction.commit().await?;
                return Ok(());
            };
            // In the transaction of the batch, so that the next start continues exactly after it.
            let sql = format!("UPDATE users_search_fill SET last_id = {place}");
            transaction.execute_unprepared(&sql).await?;
            transaction.commit().await?;
            if said.is_due() {
                let last = last.flatten().unwrap_or(place);
                tracing::info!(place, last, "the search of people is being filled");
            }
        }
    }

    /// Builds the late indexes that are missing, one after the other, while others read and write.
    async fn build_indexes(&self, lock: &Lock) -> Result<(), DbError> {
        let transaction = self.begin("0").await?;
        let state = State::of(&transaction.query_all_raw(statement(STATE)).await?)?;
        transaction.commit().await?;
        for index in state.missing() {
            lock.holds().await?;
            let name = index.name;
            // A build that was stopped leaves an invalid index under this name.
            if state.broken.iter().any(|other| other == name) {
                tracing::warn!(index = name, "an index is built anew whose build was stopped");
                let sql = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
                self.pool.execute_unprepared(&sql).await?;
            }
            let since = Instant::now();
            // CONCURRENTLY locks no writers out, and runs in no transaction.
            let sql = index.statement("CONCURRENTLY");
            let building = self.pool.execute_unprepared(&sql);
            let watching = self.watch(lock, index);
            select! {
                built = building => built.map(drop)?,
                error = watching => return Err(error),
            }
            let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(index = name, milliseconds, "an index was built");
        }
        Ok(())
    }

    /// Logs how far the build of an index is, until the lock is lost.
    async fn watch(&self, lock: &Lock, index: &LateIndex) -> DbError {
        let mut ticks = interval_at(tokio::time::Instant::now() + LOG_EVERY, LOG_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = lock.holds().await {
                return error;
            }
            let sql = format!(
                "SELECT phase, coalesce(100 * blocks_done / nullif(blocks_total, 0), 0)::bigint \
                 FROM pg_stat_progress_create_index WHERE relid = '{}'::regclass",
                index.table
            );
            // There is no row before the build has begun; progress is worth no failure.
            let Ok(row) = self.ask(&sql).await else { continue };
            let phase: String = row.try_get_by_index(0).unwrap_or_default();
            let percent: i64 = row.try_get_by_index(1).unwrap_or_default();
            tracing::info!(index = index.name, phase, percent, "an index is being built");
        }
    }

    async fn ask(&self, sql: &str) -> Result<QueryResult, DbError> {
        let transaction = self.begin("0").await?;
        let row = transaction.query_one_raw(statement(sql)).await?;
        transaction.commit().await?;
        row.ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()).into())
    }
}

/// The lock, as long as this transaction lives.
struct Lock(DatabaseTransaction);

impl Lock {
    /// Fails when the lock is no longer ours.
    async fn holds(&self) -> Result<(), DbError> {
        // Also keeps a connection alive that would be idle for hours.
        self.0.execute_unprepared("SELECT 1").await?;
        Ok(())
    }
}

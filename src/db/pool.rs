//! A pool of connections on which each statement is a transaction of its own, also behind a pooler.
//!
//! Opens no connection: `sqlite` and `postgres` do, and decide which connections may be used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, TransactionTrait as _,
};
use tokio::time::timeout;

use super::WAIT;
use super::health::Health;

/// PostgreSQL's settings for every statement. Its time-out is below the time that we wait for an answer
/// (`health`): PostgreSQL ends the statement and says so, where we could only stop listening. No
/// compilation: our statements take milliseconds, and some look more expensive to its planner than they
/// are (ten thousand users looked up one by one).
pub(super) const SETTINGS: [(&str, &str); 3] =
    [("lock_timeout", "5s"), ("statement_timeout", "6s"), ("jit", "off")];

/// A pool on which each statement is a transaction of its own.
#[derive(Debug, Clone)]
pub struct Pool {
    connections: DatabaseConnection,
    health: Arc<Health>,
    may_write: bool,
    is_pooled: bool,
}

impl Pool {
    pub(super) fn new(
        connections: DatabaseConnection,
        health: Arc<Health>,
        may_write: bool,
        is_pooled: bool,
    ) -> Self {
        Self { connections, health, may_write, is_pooled }
    }

    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.connections.get_database_backend()
    }

    /// Returns sea-orm's own handle, for callers that limit their waiting themselves.
    pub(super) fn connections(&self) -> &DatabaseConnection {
        &self.connections
    }

    /// Returns whether a pooler such as pgbouncer is between this program and PostgreSQL.
    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Begins a transaction behind a pooler.
    pub(super) async fn begin_pooled(&self) -> Result<DatabaseTransaction, DbErr> {
        let transaction = self.connections.begin().await?;
        // A pooler drops the settings of the connection, so each transaction sets them.
        let settings = SETTINGS.map(|(name, value)| format!("SET LOCAL {name} = '{value}'"));
        // sqlx numbers the names of its statements by connection: another client of this server may have
        // prepared other statements under the names that ours will get.
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
            // A statement with values goes out in two messages (prepare, run), which a pooler in
            // transaction mode may send to two servers unless one transaction holds them together.
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

    /// Counts in `queries` how many statements are sent.
    pub(super) fn count_in(&mut self, queries: &Arc<AtomicU64>) {
        let queries = queries.clone();
        self.connections.set_metric_callback(move |_| {
            queries.fetch_add(1, Ordering::Relaxed);
        });
    }

    /// Closes the connections, and waits only a few seconds for one that is in use.
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

/// Logs why a connection is closed, and with it why another one is opened; returns `false`, which closes it.
pub(super) fn closing(why: &'static str) -> bool {
    tracing::warn!(why, "a connection to the database is closed and another one opened");
    false
}

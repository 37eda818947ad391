//! The connections that statements go over.
//!
//! A statement with values is prepared first and run then, in two messages. A pooler in transaction mode
//! may send them to two servers unless they stand in one transaction; so behind a pooler each statement
//! is a transaction, and each transaction tells the server what the connection could not.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, TransactionTrait as _,
};

use super::postgres::SETTINGS;

/// A pool of connections, for one statement at a time.
#[derive(Debug, Clone)]
pub struct Connection {
    pub(super) pool: DatabaseConnection,
    pub(super) is_pooled: bool,
}

impl Connection {
    /// A pool whose connections are sessions of the database itself.
    pub(super) fn direct(pool: DatabaseConnection) -> Self {
        Self { pool, is_pooled: false }
    }

    /// Which engine it is.
    #[must_use]
    pub fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    /// Begins a transaction behind a pooler. Statements of other clients that share the server are
    /// forgotten first: the names under which ours are prepared could be theirs.
    pub(super) async fn begin_pooled(&self) -> Result<DatabaseTransaction, DbErr> {
        let transaction = self.pool.begin().await?;
        let settings = SETTINGS.map(|(name, value)| format!("SET LOCAL {name} = '{value}'"));
        let sql = format!("DEALLOCATE ALL; {}", settings.join("; "));
        transaction.execute_unprepared(&sql).await?;
        Ok(transaction)
    }
}

#[async_trait]
impl ConnectionTrait for Connection {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        if !self.is_pooled {
            return self.pool.execute_raw(statement).await;
        }
        let transaction = self.begin_pooled().await?;
        let result = transaction.execute_raw(statement).await?;
        transaction.commit().await?;
        Ok(result)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        if !self.is_pooled {
            return self.pool.execute_unprepared(sql).await;
        }
        let transaction = self.begin_pooled().await?;
        let result = transaction.execute_unprepared(sql).await?;
        transaction.commit().await?;
        Ok(result)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        if !self.is_pooled {
            return self.pool.query_one_raw(statement).await;
        }
        let transaction = self.begin_pooled().await?;
        let row = transaction.query_one_raw(statement).await?;
        transaction.commit().await?;
        Ok(row)
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        if !self.is_pooled {
            return self.pool.query_all_raw(statement).await;
        }
        let transaction = self.begin_pooled().await?;
        let rows = transaction.query_all_raw(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}

//! Transactions that write. One in which anything has failed is never committed, on either engine.
//!
//! sea-orm's own transaction does not prevent that: PostgreSQL answers the COMMIT of a failed
//! transaction with a roll-back and no error, and SQLite rolls back by itself when it cannot write, and
//! carries out each later statement on its own (docs/decisions/0015).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    Statement, TransactionTrait as _,
};

use super::DbError;
use super::after_commit::{AfterCommit, Invalidate, Invalidator};
use super::failure::is_unavailable;
use super::health::Health;

/// Nothing has failed.
const INTACT: u8 = 0;

/// A statement was at fault.
const AT_FAULT: u8 = 1;

/// The database was unreachable, busy or full, or an answer was not waited for.
const UNAVAILABLE: u8 = 2;

/// A transaction that writes. Dropped without [`commit`](Transaction::commit) it never happened.
#[derive(Debug)]
pub struct Transaction {
    inner: DatabaseTransaction,
    health: Arc<Health>,
    /// What has failed in it or in one of its parts, and was not taken back.
    failure: Arc<AtomicU8>,
    level: Level,
    after_commit: AfterCommit,
}

impl Transaction {
    pub(super) fn new(
        inner: DatabaseTransaction,
        health: Arc<Health>,
        invalidator: Arc<dyn Invalidator>,
    ) -> Self {
        let after_commit = AfterCommit::new(invalidator);
        Self { inner, health, failure: Arc::default(), level: Level::first(), after_commit }
    }

    /// Returns the connection to write on.
    #[must_use]
    pub fn connection(&self) -> &Self {
        self
    }

    /// Invalidates this after the commit; a roll-back drops it.
    pub fn after_commit(&self, stale: Invalidate) {
        self.after_commit.register(stale);
    }

    /// Returns sea-orm's own transaction, without time-outs, for migrations.
    pub(super) fn without_limits(&self) -> &DatabaseTransaction {
        &self.inner
    }

    /// Begins a part that can be taken back alone; [`commit`](Self::commit) makes it a part of this one.
    pub async fn begin_nested(&self) -> Result<Self, DbError> {
        self.level.ensure_innermost()?;
        let inner = self.run(self.inner.begin()).await?;
        let (health, failure) = (self.health.clone(), self.failure.clone());
        let after_commit = self.after_commit.nested();
        Ok(Self { inner, health, failure, level: self.level.next(), after_commit })
    }

    /// Takes back everything that was written.
    ///
    /// # Errors
    /// [`DbError`] when the database could not be told; it has not happened anyway.
    pub async fn roll_back(self) -> Result<(), DbError> {
        self.level.ensure_innermost()?;
        let Self { inner, health, failure, level: _level, after_commit: _ } = self;
        let attempt = Attempt::on(&failure);
        let outcome = health.bounded(inner.rollback()).await;
        if outcome.is_ok() {
            // What failed in a part is taken back with the part.
            failure.store(INTACT, Ordering::Release);
        } else {
            health.distrust_connections();
        }
        Ok(attempt.ended(outcome)?)
    }

    /// Commits everything that was written.
    ///
    /// # Errors
    /// [`DbError`] when the database could not, or when a statement has failed before; nothing was
    /// written then. Only if the database does not answer at all, the outcome is unknown.
    pub async fn commit(self) -> Result<(), DbError> {
        self.ensure_intact()?;
        self.level.ensure_innermost()?;
        let Self { inner, health, failure, level: _level, after_commit } = self;
        // Before the commit is sent: if the answer is lost or not waited for, it may have happened.
        let _effects = after_commit.run_on_drop();
        let attempt = Attempt::on(&failure);
        let outcome = health.bounded(inner.commit()).await;
        if outcome.is_err() {
            health.distrust_connections();
        }
        Ok(attempt.ended(outcome)?)
    }

    /// Refuses to go on after a failure: SQLite may have rolled back, and would carry out the next
    /// statement on its own.
    fn ensure_intact(&self) -> Result<(), DbErr> {
        let why = "a statement of this transaction has failed before";
        match self.failure.load(Ordering::Acquire) {
            INTACT => Ok(()),
            AT_FAULT => Err(DbErr::Custom(why.to_owned())),
            _ => Err(DbErr::Conn(RuntimeErr::Internal(why.to_owned()))),
        }
    }

    async fn run<T>(&self, asked: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        self.ensure_intact()?;
        let attempt = Attempt::on(&self.failure);
        let outcome = self.health.bounded(asked).await;
        attempt.ended(outcome)
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        // All rows are read: sqlx would stop at the first one and miss a failure after it.
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.inner.query_all_raw(statement)).await
    }
}

/// How deeply a transaction is nested. What sqlx sends for a commit ends the deepest part that is open,
/// so only that one may be ended.
#[derive(Debug)]
struct Level {
    number: u32,
    deepest: Arc<AtomicU32>,
}

impl Level {
    fn first() -> Self {
        Self { number: 1, deepest: Arc::new(AtomicU32::new(1)) }
    }

    fn next(&self) -> Self {
        let number = self.number + 1;
        self.deepest.store(number, Ordering::Release);
        Self { number, deepest: self.deepest.clone() }
    }

    fn ensure_innermost(&self) -> Result<(), DbErr> {
        if self.deepest.load(Ordering::Acquire) == self.number {
            return Ok(());
        }
        Err(DbErr::Custom("a part of this transaction is open".to_owned()))
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.deepest.store(self.number - 1, Ordering::Release);
    }
}

/// A statement that has been sent.
struct Attempt<'a> {
    failure: &'a AtomicU8,
    found: u8,
}

impl<'a> Attempt<'a> {
    fn on(failure: &'a AtomicU8) -> Self {
        // Until the answer arrives: a future that is dropped before leaves this behind.
        Self { failure, found: UNAVAILABLE }
    }

    fn ended<T>(mut self, outcome: Result<T, DbErr>) -> Result<T, DbErr> {
        self.found = match &outcome {
            Ok(_) => INTACT,
            Err(error) if is_unavailable(error) => UNAVAILABLE,
            Err(_) => AT_FAULT,
        };
        outcome
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.found != INTACT {
            self.failure.store(self.found, Ordering::Release);
        }
    }
}

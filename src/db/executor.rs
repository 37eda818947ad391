//! Where a query runs: on its own, or in a transaction.

use sea_orm::ConnectionTrait;

use super::{Db, Pool, Transaction};

/// Runs queries that only read: the database's reader, or a transaction, which sees its own writes. A
/// query that writes takes a [`Transaction`] instead.
pub trait Executor: Sync {
    /// The connection of sea-orm.
    type Connection: ConnectionTrait;

    /// Returns the connection to run a query on.
    fn connection(&self) -> &Self::Connection;
}

impl Executor for Db {
    type Connection = Pool;

    fn connection(&self) -> &Pool {
        self.reader()
    }
}

impl Executor for Transaction {
    type Connection = Self;

    fn connection(&self) -> &Self {
        self
    }
}

//! A statement written as text, with its bound values.

use sea_orm::{DbBackend, Statement, Value};

use super::Db;

/// Collects the values of a statement that each engine needs in its own form.
pub struct QueryBuilder {
    backend: DbBackend,
    values: Vec<Value>,
}

impl QueryBuilder {
    /// Begins a statement for the engine of a database.
    #[must_use]
    pub fn new(db: &Db) -> Self {
        Self { backend: db.reader().get_database_backend(), values: Vec::new() }
    }

    /// Returns whether the engine is PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.backend == DbBackend::Postgres
    }

    /// Binds a value and returns its placeholder.
    pub fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        // Numbered placeholders: SQLite reads PostgreSQL's `$1` too.
        format!("${}", self.values.len())
    }

    /// Returns the statement, with the values bound so far.
    #[must_use]
    pub fn statement(self, sql: String) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, self.values)
    }
}

//! Names in Unicode form NFC, and addresses in one spelling of their domain, as the program stores
//! them from now on (decision 0022).
//!
//! The audit log stays as it was written.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, QueryResult, Statement, Value};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Rows that are read at once, and written by one statement: some hundred kilobytes, and far below
/// the number of values that SQLite (32,766) and PostgreSQL (65,535) accept in a statement.
const BATCH: i64 = 2_000;

/// Tables with columns of one-line texts that need not be unique.
const TEXTS: [(&str, &str); 2] = [("social_providers", "name"), ("social_identities", "label")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let backend = manager.get_database_backend();
        if backend == DbBackend::Postgres {
            // With millions of rows a statement takes longer than a request may. LOCAL: until the
            // migration ends.
            connection.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        }
        let database = Database { connection, backend };
        database.compose_users().await?;
        database.compose_groups().await?;
        for (table, column) in TEXTS {
            database.compose_column(table, column).await?;
        }
        Ok(())
    }

    /// Does nothing: composed text reads the same.
    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Ok(())
    }
}

struct Database<'a, 'm> {
    connection: &'a SchemaManagerConnection<'m>,
    backend: DbBackend,
}

impl Database<'_, '_> {
    /// Returns the rows after an ID, in order, at most [`BATCH`].
    async fn batch(
        &self,
        (table, columns): (&str, &str),
        after: i64,
    ) -> Result<Vec<QueryResult>, DbErr> {
        // By ID and not by offset, so that the memory and the time of a batch do not grow with the
        // table.
        let sql =
            format!("SELECT id, {columns} FROM {table} WHERE id > $1 ORDER BY id LIMIT {BATCH}");
        self.connection.query_all_raw(self.statement(sql, vec![after.into()])).await
    }

    fn statement(&self, sql: String, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    async fn compose_users(&self) -> Result<(), DbErr> {
        const COLUMNS: &str = "email, email_canonical, name, inactive_reason";
        let mut last = i64::MIN;
        loop {
            let rows = self.batch(("users", COLUMNS), last).await?;
            let Some(end) = rows.last() else { return Ok(()) };
            last = end.try_get_by_index(0)?;
            let (mut tuples, mut values, mut moved) = (Vec::new(), Vec::new(), Vec::new());
            for row in &rows {
                let id: i64 = row.try_get_by_index(0)?;
                let before = User {
                    email: row.try_get_by_index(1)?,
                    canonical: row.try_get_by_index(2)?,
                    name: row.try_get_by_index(3)?,
                    reason: row.try_get_by_index(4)?,
                };
                let mut after = before.composed();
                // A canonical address is unique, so it may be taken: it is changed by a statement
                // of its own.
                if after.canonical != before.canonical {
                    moved.push((id, after.email, after.canonical));
                    after = User { email: before.email.clone(), canonical: String::new(), ..after };
                }
                // Only rows that change are written.
                if (&after.email, &after.name, &after.reason)
                    != (&before.email, &before.name, &before.reason)
                {
                    tuples.push(tuple(values.len(), 4));
                    let texts = [after.email, after.name, after.reason];
                    values.push(Value::from(id));
                    values.extend(texts.map(Value::from));
                }
            }
            if !tuples.is_empty() {
                // Both engines name the columns of VALUES `column1`, `column2` and so on.
                let sql = format!(
                    "UPDATE users SET email = v.column2, name = v.column3, \
                     inactive_reason = v.column4 FROM (VALUES {}) AS v WHERE users.id = v.column1",
                    tuples.join(", ")
                );
                self.connection.execute_raw(self.statement(sql, values)).await?;
            }
            for (id, email, canonical) in moved {
                self.move_user(id, email, canonical).await?;
            }
        }
    }

    /// Gives an account its canonical address, unless another one has it.
    async fn move_user(&self, id: i64, email: String, canonical: String) -> Result<(), DbErr> {
        let sql = "UPDATE users SET email = $1, email_canonical = $2 WHERE id = $3 AND NOT EXISTS \
            (SELECT 1 FROM users o WHERE o.email_canonical = $2 AND o.id <> $3)";
        let values = vec![email.into(), canonical.into(), id.into()];
        // Of two accounts that would become one, the later keeps what it has: neither owner loses
        // an account, and staff can give it another address.
        let done = self.connection.execute_raw(self.statement(sql.to_owned(), values)).await?;
        if done.rows_affected() == 0 {
            tracing::warn!(
                user.id = id,
                "another account has the canonical form of this account's address; it keeps its own"
            );
        }
        Ok(())
    }

    /// Composes the names of groups, which are unique.
    async fn compose_groups(&self) -> Result<(), DbErr> {
        let sql = "UPDATE groups SET name = $1 WHERE id = $2 AND NOT EXISTS \
            (SELECT 1 FROM groups o WHERE o.name = $1 AND o.id <> $2)";
        let mut last = i64::MIN;
        loop {
            let rows = self.batch(("groups", "name"), last).await?;
            let Some(end) = rows.last() else { return Ok(()) };
            last = end.try_get_by_index(0)?;
            for row in &rows {
                let (id, name): (i64, String) =
                    (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                let Some(composed) = composed(&name) else { continue };
                let values = vec![composed.into(), id.into()];
                let done =
                    self.connection.execute_raw(self.statement(sql.to_owned(), values)).await?;
                if done.rows_affected() == 0 {
                    tracing::warn!(
                        group.id = id,
                        "another group has the composed form of this group's name; it keeps its own"
                    );
                }
            }
        }
    }

    async fn compose_column(&self, table: &str, column: &str) -> Result<(), DbErr> {
        let mut last = i64::MIN;
        loop {
            let rows = self.batch((table, column), last).await?;
            let Some(end) = rows.last() else { return Ok(()) };
            last = end.try_get_by_index(0)?;
            let (mut tuples, mut values) = (Vec::new(), Vec::new());
            for row in &rows {
                let (id, text): (i64, String) =
                    (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
                if let Some(composed) = composed(&text) {
                    tuples.push(tuple(values.len(), 2));
                    values.extend([Value::from(id), Value::from(composed)]);
                }
            }
            if !tuples.is_empty() {
                let sql = format!(
                    "UPDATE {table} SET {column} = v.column2 FROM (VALUES {}) AS v \
                     WHERE {table}.id = v.column1",
                    tuples.join(", ")
                );
                self.connection.execute_raw(self.statement(sql, values)).await?;
            }
        }
    }
}

/// Returns the placeholders for the next values of a statement: `($5, $6)`.
fn tuple(before: usize, width: usize) -> String {
    let places: Vec<_> = (1..=width).map(|place| format!("${}", before + place)).collect();
    format!("({})", places.join(", "))
}

/// The columns of an account that are composed.
struct User {
    email: String,
    canonical: String,
    name: String,
    reason: String,
}

impl User {
    fn composed(&self) -> Self {
        let or = |text: &String| composed(text).unwrap_or_else(|| text.clone());
        let (email, canonical) =
            address(&self.email).unwrap_or_else(|| (self.email.clone(), self.canonical.clone()));
        Self { email, canonical, name: or(&self.name), reason: or(&self.reason) }
    }
}

/// Returns the composed form of a text; `None` if it is composed already.
fn composed(text: &str) -> Option<String> {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return None;
    }
    let composed: String = text.nfc().collect();
    (composed != text).then_some(composed)
}

/// Returns an address as it is stored, and the form in which it is unique; `None` leaves it as it
/// is, because its domain is plain ASCII.
fn address(email: &str) -> Option<(String, String)> {
    let (local, domain) = email.rsplit_once('@')?;
    let is_encoded = domain.to_ascii_lowercase().split('.').any(|it| it.starts_with("xn--"));
    if !local.is_ascii() || (domain.is_ascii() && !is_encoded) {
        return None;
    }
    // IDNA's mapping drops invisible characters and makes narrow characters of wide ones.
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let (unicode, outcome) = idna::domain_to_unicode(&ascii);
    outcome.ok()?;
    let stored = format!("{local}@{unicode}");
    // 254 bytes is the longest address that the program accepts.
    let is_short = stored.len() <= 254;
    let stored = if is_short { stored } else { format!("{local}@{ascii}") };
    Some((stored, format!("{}@{ascii}", local.to_lowercase())))
}

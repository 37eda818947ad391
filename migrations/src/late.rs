//! Indexes of tables that may hold millions of rows.
//!
//! A migration builds them where there are few rows, because that is one transaction with the rest,
//! and leaves them to the program where there are many. The program builds them after all
//! migrations, and checks at every start that all of them exist and are valid (decision 0017).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// The number of rows that are indexed in a fraction of a second, for which a table may be locked.
const FEW: u32 = 100_000;

/// An index that the program may have to build on PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub struct LateIndex {
    /// Its name.
    pub name: &'static str,
    /// Its table.
    pub table: &'static str,
    /// What is indexed and how, as SQL has it after the name of the table.
    definition: &'static str,
    /// Whether it needs the extension `pg_trgm`, without which it is left out.
    pub needs_trigrams: bool,
}

impl LateIndex {
    const fn on(table: &'static str, name: &'static str, definition: &'static str) -> Self {
        Self { name, table, definition, needs_trigrams: false }
    }

    /// Returns the statement that builds the index; `how` may be `CONCURRENTLY`, which no
    /// transaction may hold.
    #[must_use]
    pub fn statement(&self, how: &str) -> String {
        let Self { name, table, definition, .. } = self;
        format!("CREATE INDEX {how} {name} ON {table} {definition}")
    }
}

/// All late indexes, as they are after the last migration.
pub const LATE_INDEXES: [LateIndex; 17] = [
    LateIndex::on("users", "users_deletes_at", "(deletes_at)"),
    LateIndex::on("users", "users_created_at", "(created_at, id)"),
    LateIndex::on("users", "users_last_login_at", "(COALESCE(last_login_at, 0), id)"),
    LateIndex::on("users", "users_inactive_until", "(inactive_until, id)"),
    LateIndex::on("users", "users_staff", "(id) WHERE is_staff"),
    LateIndex::on("users", "users_superusers", "(id) WHERE is_superuser"),
    LateIndex::on("users", "users_inactive", "(id) WHERE NOT is_active"),
    LateIndex::on("users", "users_unverified", "(id) WHERE email_verified_at IS NULL"),
    LateIndex::on(
        "users",
        "users_hash_iterations",
        "(CAST(substring(password_hash from '^pbkdf2_sha256[$]([0-9]{1,9})[$]') AS bigint)) \
         WHERE substr(password_hash, 1, 14) = 'pbkdf2_sha256$'",
    ),
    LateIndex::on(
        "users",
        "users_hash_cost",
        "(split_part(password_hash, '$', 4)) \
         WHERE substr(password_hash, 1, 15) = '$argon2id$v=19$'",
    ),
    LateIndex::on("sessions", "sessions_open", "(user_id, transport) WHERE ended_at IS NULL"),
    LateIndex::on("one_time_links", "one_time_links_email_canonical", "(email_canonical)"),
    LateIndex::on("audit_events", "audit_events_actor_at", "(actor_id, at)"),
    LateIndex::on("audit_events", "audit_events_action_at", "(action, at)"),
    LateIndex::on("outbox", "outbox_failed", "(id) WHERE failed_at IS NOT NULL"),
    LateIndex::on("outbox", "outbox_waiting", "(id) WHERE due_at IS NOT NULL"),
    LateIndex {
        needs_trigrams: true,
        ..LateIndex::on(
            "users_search",
            "users_search_text",
            "USING gin (text gin_trgm_ops) WITH (fastupdate = off)",
        )
    },
];

/// Returns whether a table has too many rows to be locked while they are indexed.
pub(crate) async fn is_large(
    manager: &SchemaManager<'_>,
    table: &'static str,
) -> Result<bool, DbErr> {
    if manager.get_database_backend() != DbBackend::Postgres {
        // SQLite has one writer, so a lock on the table makes nothing wait that would not wait
        // anyway.
        return Ok(false);
    }
    // Counts no further than the bound: a whole count would read the table.
    let sql =
        format!("SELECT COUNT(*) > {FEW} FROM (SELECT 1 FROM {table} LIMIT {FEW} + 1) AS first");
    let question = Statement::from_string(DbBackend::Postgres, sql);
    let row = manager.get_connection().query_one_raw(question).await?;
    row.map_or(Ok(false), |row| row.try_get_by_index(0))
}

/// Builds an index, unless its table is large.
pub(crate) async fn index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    index: IndexCreateStatement,
) -> Result<(), DbErr> {
    if is_large(manager, table).await? { Ok(()) } else { manager.create_index(index).await }
}

/// Builds one of [`LATE_INDEXES`], unless its table is large.
pub(crate) async fn build(manager: &SchemaManager<'_>, name: &str) -> Result<(), DbErr> {
    let index = LATE_INDEXES.iter().find(|index| index.name == name);
    let index = index.ok_or_else(|| DbErr::Custom(format!("no late index {name}")))?;
    if !is_large(manager, index.table).await? {
        manager.get_connection().execute_unprepared(&index.statement("")).await?;
    }
    Ok(())
}

//! The search of users: an index of all three-character pieces of addresses and names, and indexes
//! for what staff filter and sort by.
//!
//! The pieces are in `users_search`, which triggers keep up to date. On SQLite it is an FTS5 table
//! without a copy of the text. On PostgreSQL it is a table with the text in lower case, indexed by
//! `pg_trgm`; where that extension cannot be created, searching is slower and finds the same. When
//! the extension exists at a later start, the program builds the index then.

use std::time::{Duration, Instant};

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

use crate::late;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The indexes for filters and sorting.
const INDEXES: [&str; 5] = [
    // As it is sorted by: users who never logged in sort at 1970, so that every row has a place.
    "CREATE INDEX users_last_login_at ON users (COALESCE(last_login_at, 0), id)",
    // Partial: each holds the few rows that staff look for.
    "CREATE INDEX users_staff ON users (id) WHERE is_staff",
    "CREATE INDEX users_superusers ON users (id) WHERE is_superuser",
    "CREATE INDEX users_inactive ON users (id) WHERE NOT is_active",
    "CREATE INDEX users_unverified ON users (id) WHERE email_verified_at IS NULL",
];

const ON_SQLITE: [&str; 4] = [
    "CREATE VIRTUAL TABLE users_search USING fts5(
        email, name, content='users', content_rowid='id', tokenize='trigram'
    )",
    "CREATE TRIGGER users_search_insert AFTER INSERT ON users BEGIN
        INSERT INTO users_search (rowid, email, name) VALUES (new.id, new.email, new.name);
    END",
    "CREATE TRIGGER users_search_delete AFTER DELETE ON users BEGIN
        INSERT INTO users_search (users_search, rowid, email, name)
            VALUES ('delete', old.id, old.email, old.name);
    END",
    // A log-in changes a row of `users` too, and must not write here.
    "CREATE TRIGGER users_search_update AFTER UPDATE OF email, name ON users
        WHEN old.email <> new.email OR old.name <> new.name BEGIN
        INSERT INTO users_search (users_search, rowid, email, name)
            VALUES ('delete', old.id, old.email, old.name);
        INSERT INTO users_search (rowid, email, name) VALUES (new.id, new.email, new.name);
    END",
];

/// How often the progress is logged.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// The number of users that SQLite copies into the search at once.
const BATCH: i64 = 10_000;

const ON_POSTGRES: [&str; 5] = [
    "CREATE TABLE users_search (
        id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        text text NOT NULL
    )",
    "CREATE FUNCTION users_search_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO users_search (id, text) VALUES (new.id, lower(new.email || ' ' || new.name))
            ON CONFLICT (id) DO UPDATE SET text = excluded.text;
        RETURN NULL;
    END $$",
    "CREATE TRIGGER users_search_insert AFTER INSERT ON users
        FOR EACH ROW EXECUTE FUNCTION users_search_keep()",
    "CREATE TRIGGER users_search_update AFTER UPDATE OF email, name ON users
        FOR EACH ROW WHEN (old.email <> new.email OR old.name <> new.name)
        EXECUTE FUNCTION users_search_keep()",
    // A block has a savepoint of its own: what fails in it leaves the migration alone.
    "DO $$ BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'no index for searching people: %', SQLERRM;
    END $$",
];

/// Where there are few users: all of them and the index at once.
const FEW_ON_POSTGRES: [&str; 2] = [
    "INSERT INTO users_search (id, text) SELECT id, lower(email || ' ' || name) FROM users",
    "DO $$ BEGIN
        CREATE INDEX users_search_text ON users_search
            USING gin (text gin_trgm_ops) WITH (fastupdate = off);
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'no index for searching people: %', SQLERRM;
    END $$",
];

/// Where there are many users, the program fills the search in batches. The table exists until that
/// is done, and holds the last account that was copied.
const MANY_ON_POSTGRES: [&str; 2] = [
    "CREATE TABLE users_search_fill (place bigint NOT NULL)",
    "INSERT INTO users_search_fill (place) VALUES (0)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        let are_many = late::is_large(manager, "users").await?;
        connection.execute_unprepared("DROP INDEX IF EXISTS users_last_login_at").await?;
        let mut statements: Vec<&str> = Vec::new();
        if !are_many {
            statements.extend(INDEXES);
        }
        if is_postgres {
            statements.extend(ON_POSTGRES);
            statements.extend(if are_many { MANY_ON_POSTGRES } else { FEW_ON_POSTGRES });
        } else {
            statements.extend(ON_SQLITE);
        }
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        if is_postgres { Ok(()) } else { fill(connection).await }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drop: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &[
                "DROP TRIGGER users_search_insert ON users",
                "DROP TRIGGER users_search_update ON users",
                "DROP FUNCTION users_search_keep",
            ],
            _ => &[
                "DROP TRIGGER users_search_insert",
                "DROP TRIGGER users_search_delete",
                "DROP TRIGGER users_search_update",
            ],
        };
        let rest = [
            "DROP TABLE users_search",
            "DROP TABLE IF EXISTS users_search_fill",
            "DROP INDEX IF EXISTS users_staff",
            "DROP INDEX IF EXISTS users_superusers",
            "DROP INDEX IF EXISTS users_inactive",
            "DROP INDEX IF EXISTS users_unverified",
            "DROP INDEX IF EXISTS users_last_login_at",
            "CREATE INDEX users_last_login_at ON users (last_login_at, id)",
        ];
        for statement in drop.iter().chain(&rest) {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Copies every user into SQLite's search, batch by batch.
async fn fill(connection: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    let number = async |sql: String| {
        let question = Statement::from_string(DbBackend::Sqlite, sql);
        let row = connection.query_one_raw(question).await?;
        row.map_or(Ok(None), |row| row.try_get_by_index::<Option<i64>>(0))
    };
    let last = number("SELECT MAX(id) FROM users".to_owned()).await?;
    // FTS5 writes what it has to disk as it goes, so the memory does not grow with the users.
    let mut place = 0;
    let mut said = Instant::now();
    loop {
        let some = format!("SELECT id FROM users WHERE id > {place} ORDER BY id LIMIT {BATCH}");
        let Some(end) = number(format!("SELECT MAX(id) FROM ({some})")).await? else {
            return Ok(());
        };
        let sql = format!(
            "INSERT INTO users_search (rowid, email, name) \
             SELECT id, email, name FROM users WHERE id > {place} AND id <= {end}"
        );
        connection.execute_unprepared(&sql).await?;
        place = end;
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            tracing::info!(place, last, "the search of people is being filled");
        }
    }
}

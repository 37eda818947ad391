//! Finding people: an index of all three-letter pieces of addresses and names, and indexes for what
//! staff filter and sort by.
//!
//! The pieces stand in `users_search` on both engines, kept by triggers, so that a log-in, which
//! changes a row of `users`, never writes there. On SQLite it is an FTS5 table without a copy of the
//! text. On PostgreSQL it is a table with the text in small letters, under `pg_trgm`; where the
//! extension is neither there nor may be made, the table stays without that index: searching is
//! slower then, and finds the same. Who installs the extension later makes the index by
//! `CREATE INDEX users_search_text ON users_search USING gin (text gin_trgm_ops) WITH (fastupdate = off)`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// `last_login_at` is indexed as it is sorted by: whoever never logged in stands at 1970, so that no
/// row is without a place. The partial indexes hold the few that staff look for.
const INDEXES: [&str; 6] = [
    "DROP INDEX users_last_login_at",
    "CREATE INDEX users_last_login_at ON users (COALESCE(last_login_at, 0), id)",
    "CREATE INDEX users_staff ON users (id) WHERE is_staff",
    "CREATE INDEX users_superusers ON users (id) WHERE is_superuser",
    "CREATE INDEX users_inactive ON users (id) WHERE NOT is_active",
    "CREATE INDEX users_unverified ON users (id) WHERE email_verified_at IS NULL",
];

const ON_SQLITE: [&str; 5] = [
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
    "CREATE TRIGGER users_search_update AFTER UPDATE OF email, name ON users
        WHEN old.email <> new.email OR old.name <> new.name BEGIN
        INSERT INTO users_search (users_search, rowid, email, name)
            VALUES ('delete', old.id, old.email, old.name);
        INSERT INTO users_search (rowid, email, name) VALUES (new.id, new.email, new.name);
    END",
    "INSERT INTO users_search (users_search) VALUES ('rebuild')",
];

const ON_POSTGRES: [&str; 7] = [
    // Among millions of people the index takes longer than a request may; until the migration ends.
    "SET LOCAL statement_timeout = 0",
    "CREATE TABLE users_search (
        id bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
        text text NOT NULL
    )",
    "INSERT INTO users_search (id, text) SELECT id, lower(email || ' ' || name) FROM users",
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
        CREATE INDEX users_search_text ON users_search
            USING gin (text gin_trgm_ops) WITH (fastupdate = off);
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'no index for searching people: %', SQLERRM;
    END $$",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let search: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &ON_POSTGRES,
            _ => &ON_SQLITE,
        };
        for statement in INDEXES.iter().chain(search) {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
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
            "DROP INDEX users_staff",
            "DROP INDEX users_superusers",
            "DROP INDEX users_inactive",
            "DROP INDEX users_unverified",
            "DROP INDEX users_last_login_at",
            "CREATE INDEX users_last_login_at ON users (last_login_at, id)",
        ];
        for statement in drop.iter().chain(&rest) {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

//! Renames tables and columns to the names that the code uses: bulk jobs and their snapshots,
//! attempts and expiry of e-mails, the method of authentication of a session.
//!
//! Every rename is an update of the catalogue, so it takes the same time however many rows there
//! are, and it keeps the data, foreign keys and generated numbers.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::{index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Tables: before, after.
const TABLES: [(&str, &str); 2] = [("bulk_deeds", "bulk_jobs"), ("bulk_befores", "bulk_snapshots")];

/// Columns, by the new name of their table: before, after.
const COLUMNS: [(&str, &str, &str); 9] = [
    ("bulk_jobs", "orders", "payload"),
    ("bulk_jobs", "place", "cursor"),
    ("bulk_jobs", "left_out", "skipped"),
    ("bulk_snapshots", "bulk_id", "job_id"),
    ("outbox", "worthless_at", "expires_at"),
    ("outbox", "tries", "attempts"),
    ("outbox", "reason", "last_error"),
    ("sessions", "proved_by", "auth_method"),
    ("sessions", "proved_at", "authenticated_at"),
];

/// What PostgreSQL itself named after the tables: kind of object, before, after.
const POSTGRES_OBJECTS: [(&str, &str, &str); 3] = [
    ("INDEX", "bulk_deeds_pkey", "bulk_jobs_pkey"),
    ("INDEX", "bulk_befores_pkey", "bulk_snapshots_pkey"),
    ("SEQUENCE", "bulk_deeds_id_seq", "bulk_jobs_id_seq"),
];

/// The index that finds running jobs: its table and name before and after.
const STATE_INDEX: [(&str, &str); 2] =
    [("bulk_deeds", "bulk_deeds_state"), ("bulk_jobs", "bulk_jobs_state")];

/// The table exists only while PostgreSQL fills the search of users after a migration.
const FILL: &str = "ALTER TABLE IF EXISTS users_search_fill RENAME COLUMN";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [before, after] = STATE_INDEX;
        // SQLite cannot rename an index, and few jobs are in it, so it is built anew.
        drop_index(manager, before.1).await?;
        for (before, after) in TABLES {
            rename_table(manager, before, after).await?;
        }
        for (table, before, after) in COLUMNS {
            rename_column(manager, table, before, after).await?;
        }
        manager.create_index(index(after.0, after.1, &["state", "id"])).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            for (kind, before, after) in POSTGRES_OBJECTS {
                let sql = format!("ALTER {kind} IF EXISTS {before} RENAME TO {after}");
                manager.get_connection().execute_unprepared(&sql).await?;
            }
            let sql = format!("{FILL} place TO last_id");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [before, after] = STATE_INDEX;
        drop_index(manager, after.1).await?;
        for (table, before, after) in COLUMNS {
            rename_column(manager, table, after, before).await?;
        }
        for (before, after) in TABLES {
            rename_table(manager, after, before).await?;
        }
        manager.create_index(index(before.0, before.1, &["state", "id"])).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            for (kind, before, after) in POSTGRES_OBJECTS {
                let sql = format!("ALTER {kind} IF EXISTS {after} RENAME TO {before}");
                manager.get_connection().execute_unprepared(&sql).await?;
            }
            let sql = format!("{FILL} last_id TO place");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}

async fn drop_index(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager.drop_index(Index::drop().name(name).to_owned()).await
}

async fn rename_table(
    manager: &SchemaManager<'_>,
    from: &'static str,
    to: &'static str,
) -> Result<(), DbErr> {
    manager.rename_table(Table::rename().table(table(from), table(to)).to_owned()).await
}

async fn rename_column(
    manager: &SchemaManager<'_>,
    name: &'static str,
    from: &'static str,
    to: &'static str,
) -> Result<(), DbErr> {
    let renamed =
        Table::alter().table(table(name)).rename_column(table(from), table(to)).to_owned();
    manager.alter_table(renamed).await
}

//! What a wrong password costs, whatever address it was tried at (decision 0020).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::{column, index, late, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The kinds of password hashes that are in use, so that each wrong password can be made to cost as
/// much work as the most expensive of them. Indexes follow the hashes by themselves.
const ON_SQLITE: [&str; 2] = [
    // The cast is total: SQLite reads a text that is no number as 0.
    "CREATE INDEX users_hash_iterations ON users (CAST(substr(password_hash, 15) AS INTEGER)) \
     WHERE substr(password_hash, 1, 14) = 'pbkdf2_sha256$'",
    "CREATE INDEX users_hash_cost ON users \
     (substr(password_hash, 16, instr(substr(password_hash, 16), '$') - 1)) \
     WHERE substr(password_hash, 1, 15) = '$argon2id$v=19$'",
];

/// The same on PostgreSQL, where they may have to be built later.
const ON_HASHES: [&str; 2] = ["users_hash_iterations", "users_hash_cost"];

const INDEXES: [(&str, &[&str]); 4] = [
    ("unknown_login_failures_target_id", &["target_id", "id"]),
    ("unknown_login_failures_at", &["at"]),
    ("unknown_login_failures_actor_at", &["actor_id", "at"]),
    ("unknown_login_failures_action_at", &["action", "at"]),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Sqlite {
            for sql in ON_SQLITE {
                manager.get_connection().execute_unprepared(sql).await?;
            }
        } else {
            for name in ON_HASHES {
                late::build(manager, name).await?;
            }
        }
        // A failed log-in at an address without an account overwrites a row here. Columns and
        // indexes are those of `audit_events`, where the others are written, so both cost the same.
        let failures = Table::create()
            .table(table("unknown_login_failures"))
            .col(column::number("id").primary_key())
            .col(column::number("at"))
            .col(column::text("action"))
            .col(column::number_or_null("actor_id"))
            .col(column::number_or_null("target_id"))
            .col(column::text_or_null("session_id"))
            .col(column::text("ip"))
            .col(column::text("user_agent"))
            .col(column::text("request_id"))
            .col(column::text("details").default("{}"))
            .to_owned();
        manager.create_table(failures).await?;
        for (name, columns) in INDEXES {
            manager.create_index(index("unknown_login_failures", name, columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let failures = Table::drop().table(table("unknown_login_failures")).to_owned();
        manager.drop_table(failures).await?;
        for name in ON_HASHES {
            let sql = format!("DROP INDEX IF EXISTS {name}");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}

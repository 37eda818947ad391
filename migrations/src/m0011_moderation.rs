//! Why an account may not be used and until when, and how often it was saved.

use sea_orm_migration::prelude::*;

use crate::{column, index, late, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column per statement.
        for mut column in [
            column::text("inactive_reason").default("").take(),
            column::number_or_null("inactive_until"),
            // Of two administrators who edit an account at once, the later sees what the earlier
            // changed.
            column::number("version").default(0).take(),
        ] {
            let users = Table::alter().table(table("users")).add_column(&mut column).to_owned();
            manager.alter_table(users).await?;
        }
        for (name, columns) in [
            ("users_created_at", &["created_at", "id"]),
            ("users_last_login_at", &["last_login_at", "id"]),
            ("users_inactive_until", &["inactive_until", "id"]),
        ] {
            late::index(manager, "users", index("users", name, columns)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["users_created_at", "users_last_login_at", "users_inactive_until"] {
            manager.drop_index(Index::drop().name(name).to_owned()).await?;
        }
        for name in ["inactive_reason", "inactive_until", "version"] {
            let users = Table::alter().table(table("users")).drop_column(table(name)).to_owned();
            manager.alter_table(users).await?;
        }
        Ok(())
    }
}

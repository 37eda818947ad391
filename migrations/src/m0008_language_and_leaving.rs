//! The language of e-mails to a user, and when an account will be deleted whose owner asked for it.
//! Logging in before then cancels the deletion.

use sea_orm_migration::prelude::*;

use crate::{column, index, late, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column per statement.
        for mut column in
            [column::text("language").default("en").take(), column::number_or_null("deletes_at")]
        {
            let users = Table::alter().table(table("users")).add_column(&mut column).to_owned();
            manager.alter_table(users).await?;
        }
        let leaving = index("users", "users_deletes_at", &["deletes_at"]);
        late::index(manager, "users", leaving).await?;
        let by_actor = index("audit_events", "audit_events_actor_id", &["actor_id"]);
        late::index(manager, "audit_events", by_actor).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["language", "deletes_at"] {
            let users = Table::alter().table(table("users")).drop_column(table(name)).to_owned();
            manager.alter_table(users).await?;
        }
        Ok(())
    }
}

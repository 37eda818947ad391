//! Bulk jobs: how far each has come, and how the accounts were before, as long as it can be undone.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let deeds = Table::create()
            .table(table("bulk_deeds"))
            .col(column::id())
            .col(column::text("kind"))
            // The job runs with the permissions of this user; the row outlives the account.
            .col(column::number("actor_id"))
            .col(column::text("ip"))
            .col(column::text("user_agent"))
            .col(column::text("request_id"))
            // The action and its targets as JSON; sealed, because an import holds password hashes.
            .col(column::text("orders"))
            .col(column::text("state"))
            // The last account, or line of an import, that was done.
            .col(column::number("place").default(0))
            .col(column::number_or_null("total"))
            .col(column::number("done").default(0))
            .col(column::number("left_out").default(0))
            .col(column::number("created_at"))
            .col(column::number_or_null("finished_at"))
            .col(column::number_or_null("undone_by"))
            .to_owned();
        manager.create_table(deeds).await?;
        // Read every second by each worker.
        let at_work = index("bulk_deeds", "bulk_deeds_state", &["state", "id"]);
        manager.create_index(at_work).await?;
        let befores = Table::create()
            .table(table("bulk_befores"))
            .col(column::number("bulk_id"))
            .col(column::number("user_id"))
            .col(column::number("version"))
            .col(column::flag("is_active", true))
            .col(column::text("inactive_reason"))
            .col(column::number_or_null("inactive_until"))
            .col(column::number_or_null("deletes_at"))
            .primary_key(Index::create().col(table("bulk_id")).col(table("user_id")))
            .foreign_key(
                ForeignKey::create()
                    .from(table("bulk_befores"), table("bulk_id"))
                    .to(table("bulk_deeds"), table("id"))
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(befores).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["bulk_befores", "bulk_deeds"] {
            manager.drop_table(Table::drop().table(table(name)).to_owned()).await?;
        }
        Ok(())
    }
}

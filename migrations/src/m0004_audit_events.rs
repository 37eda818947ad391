//! The audit log: what happened, to which user, by which user and from where.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let events = Table::create()
            .table(table("audit_events"))
            .col(column::id())
            .col(column::number("at"))
            .col(column::text("action"))
            // No foreign keys: the audit log outlives the accounts.
            .col(column::number_or_null("actor_id"))
            .col(column::number_or_null("target_id"))
            .col(column::text_or_null("session_id"))
            .col(column::text("ip"))
            .col(column::text("user_agent"))
            .col(column::text("request_id"))
            .col(column::text("details").default("{}"))
            .to_owned();
        manager.create_table(events).await?;
        let by_target = index("audit_events", "audit_events_target_id", &["target_id", "id"]);
        manager.create_index(by_target).await?;
        manager.create_index(index("audit_events", "audit_events_at", &["at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("audit_events")).to_owned()).await
    }
}

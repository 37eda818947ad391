//! E-mails on their way. `due_at` is the next attempt, or `NULL` when the e-mail is finished; while
//! `is_claimed`, a node is sending the e-mail until then.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let outbox = Table::create()
            .table(table("outbox"))
            .col(column::id())
            // No foreign key: the last e-mail to a user goes out after the account is deleted.
            .col(column::number_or_null("user_id"))
            .col(column::text("recipient"))
            .col(column::text("language"))
            .col(column::text("kind"))
            // The content with its links; emptied once the e-mail is finished.
            .col(column::text("sealed"))
            .col(column::number("created_at"))
            .col(column::number_or_null("due_at"))
            .col(column::number("worthless_at"))
            .col(column::number("tries").default(0))
            .col(column::number_or_null("sent_at"))
            .col(column::number_or_null("failed_at"))
            .col(column::text("reason").default(""))
            .col(column::flag("is_claimed", false))
            .to_owned();
        manager.create_table(outbox).await?;
        manager.create_index(index("outbox", "outbox_due_at", &["due_at"])).await?;
        manager.create_index(index("outbox", "outbox_user_id", &["user_id", "id"])).await?;
        manager.create_index(index("outbox", "outbox_created_at", &["created_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("outbox")).to_owned()).await
    }
}

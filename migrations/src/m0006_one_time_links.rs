//! Links that work once. `used_at` is set by the one request that wins.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let person = ForeignKey::create()
            .from(table("one_time_links"), table("user_id"))
            .to(table("users"), table("id"))
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        let links = Table::create()
            .table(table("one_time_links"))
            // The hash of the token: a copy of the database opens no account.
            .col(column::text("id").primary_key())
            .col(column::text("purpose"))
            .col(column::number_or_null("user_id"))
            .col(column::number("created_at"))
            .col(column::number("expires_at"))
            .col(column::number_or_null("used_at"))
            .foreign_key(&mut person.clone())
            .to_owned();
        manager.create_table(links).await?;
        manager
            .create_index(index("one_time_links", "one_time_links_user_id", &["user_id"]))
            .await?;
        manager
            .create_index(index("one_time_links", "one_time_links_expires_at", &["expires_at"]))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("one_time_links")).to_owned()).await
    }
}

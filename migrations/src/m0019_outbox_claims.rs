//! When the claim on an e-mail began, which tells the claims of two nodes apart: the end of a claim
//! moves while its e-mails are sent.

use sea_orm_migration::prelude::*;

use crate::{column, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A column without a default is added at once, however many rows there are.
        let mut claimed_at = column::number_or_null("claimed_at");
        let outbox = Table::alter().table(table("outbox")).add_column(&mut claimed_at).to_owned();
        manager.alter_table(outbox).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let outbox =
            Table::alter().table(table("outbox")).drop_column(table("claimed_at")).to_owned();
        manager.alter_table(outbox).await
    }
}

//! The keys that sign access tokens, sealed under the master secret and shared by all nodes.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keys = Table::create()
            .table(table("signing_keys"))
            .col(column::text("id").primary_key())
            .col(column::text("algorithm"))
            .col(column::number("generation"))
            .col(column::text("sealed"))
            .col(column::number("created_at"))
            .to_owned();
        manager.create_table(keys).await?;
        // A generation can be created once only, so two nodes that start at once agree on the first
        // key.
        let columns = ["algorithm", "generation"];
        let unique = index("signing_keys", "signing_keys_generation", &columns).unique().to_owned();
        manager.create_index(unique).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("signing_keys")).to_owned()).await
    }
}

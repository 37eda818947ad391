//! How often something was attempted. `level` sinks with time; before `open_at` no further attempt
//! is counted.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let throttle = Table::create()
            .table(table("throttle"))
            // A keyed hash of the account or client: no address is stored here.
            .col(column::text("id").primary_key())
            .col(ColumnDef::new(table("level")).double().not_null())
            .col(column::number("counted_at"))
            .col(column::number("open_at"))
            .col(column::number("forgotten_at"))
            .to_owned();
        manager.create_table(throttle).await?;
        manager.create_index(index("throttle", "throttle_forgotten_at", &["forgotten_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("throttle")).to_owned()).await
    }
}

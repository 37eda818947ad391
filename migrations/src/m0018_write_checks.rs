//! One row that the readiness check writes: reading it would succeed on a full disk or on a
//! standby.

use sea_orm_migration::prelude::*;

use crate::{column, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let checks = Table::create()
            .table(table("write_checks"))
            .col(column::number("id").primary_key())
            .col(column::number("number"))
            .take();
        manager.create_table(checks).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("write_checks")).take()).await
    }
}

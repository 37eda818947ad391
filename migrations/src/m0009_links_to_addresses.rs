//! The address that a one-time link is about: the one that it verifies, or the one that it
//! restores.

use sea_orm_migration::prelude::*;

use crate::{column, index, late, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["email", "email_canonical"] {
            let mut column = column::text_or_null(name);
            let links =
                Table::alter().table(table("one_time_links")).add_column(&mut column).to_owned();
            manager.alter_table(links).await?;
        }
        // Sign-ups and changes of address look here, so that no other account takes an address that
        // may be restored.
        let by_address =
            index("one_time_links", "one_time_links_email_canonical", &["email_canonical"]);
        late::index(manager, "one_time_links", by_address).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("one_time_links_email_canonical").to_owned()).await?;
        for name in ["email", "email_canonical"] {
            let links =
                Table::alter().table(table("one_time_links")).drop_column(table(name)).to_owned();
            manager.alter_table(links).await?;
        }
        Ok(())
    }
}

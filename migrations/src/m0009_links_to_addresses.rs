//! The address that a one-time link is about: the one it proves, or the one it gives back. The
//! canonical form is looked up, so that an address that may be given back is not taken meanwhile.

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

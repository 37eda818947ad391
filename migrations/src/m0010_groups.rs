//! Groups of staff and what their members may do.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let groups = Table::create()
            .table(table("groups"))
            .col(column::id())
            .col(column::text("name"))
            .col(column::number("created_at"))
            .col(column::number("updated_at"))
            .to_owned();
        manager.create_table(groups).await?;
        let unique = index("groups", "groups_name", &["name"]).unique().to_owned();
        manager.create_index(unique).await?;
        // A permission is a name, so that a new one needs no migration; a name that the program
        // does not know grants nothing.
        manager.create_table(of_group("group_permissions", column::text("permission"))).await?;
        let mut members = of_group("group_members", column::number("user_id"));
        members.foreign_key(
            ForeignKey::create()
                .from(table("group_members"), table("user_id"))
                .to(table("users"), table("id"))
                .on_delete(ForeignKeyAction::Cascade),
        );
        manager.create_table(members).await?;
        manager.create_index(index("group_members", "group_members_user_id", &["user_id"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["group_members", "group_permissions", "groups"] {
            manager.drop_table(Table::drop().table(table(name)).to_owned()).await?;
        }
        Ok(())
    }
}

/// Returns a table of what belongs to a group.
fn of_group(name: &'static str, mut what: ColumnDef) -> TableCreateStatement {
    let second = what.get_column_name();
    Table::create()
        .table(table(name))
        .col(column::number("group_id"))
        .col(&mut what)
        // Each thing belongs to a group at most once.
        .primary_key(Index::create().col(table("group_id")).col(Alias::new(second)))
        .foreign_key(
            ForeignKey::create()
                .from(table(name), table("group_id"))
                .to(table("groups"), table("id"))
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

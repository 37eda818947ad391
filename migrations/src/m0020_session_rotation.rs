//! Whether anything of the last rotation was used, and who keeps the tokens of a session: a browser
//! or an API client.

use sea_orm_migration::prelude::*;

use crate::{column, late, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `current_jti` until something that was issued with it has been used; null afterwards.
        // After a rotation by an older version the two differ, which counts as used, as it did
        // there.
        let unconfirmed = Table::alter()
            .table(table("sessions"))
            .add_column(column::text_or_null("unconfirmed_jti"))
            .to_owned();
        manager.alter_table(unconfirmed).await?;
        let transport = Table::alter()
            .table(table("sessions"))
            .add_column(column::text("transport").default("cookie"))
            .to_owned();
        manager.alter_table(transport).await?;
        // Each log-in looks for the sessions of one user that exceed the bound.
        late::build(manager, "sessions_open").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared("DROP INDEX IF EXISTS sessions_open").await?;
        for name in ["transport", "unconfirmed_jti"] {
            let gone =
                Table::alter().table(table("sessions")).drop_column(Alias::new(name)).to_owned();
            manager.alter_table(gone).await?;
        }
        Ok(())
    }
}

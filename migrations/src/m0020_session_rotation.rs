//! Whether something of the last rotation was shown, and who keeps the tokens of a session.

use sea_orm_migration::prelude::*;

use crate::{column, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `current_jti` until something that was issued with it has been shown; null afterwards. What
        // an older version rotates differs from it, and so counts as shown, as it did there.
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
        // Each log-in looks for the sessions of one user that are beyond the bound.
        let connection = manager.get_connection();
        let sql =
            "CREATE INDEX sessions_open ON sessions (user_id, transport) WHERE ended_at IS NULL";
        connection.execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name("sessions_open").to_owned()).await?;
        for name in ["transport", "unconfirmed_jti"] {
            let gone =
                Table::alter().table(table("sessions")).drop_column(Alias::new(name)).to_owned();
            manager.alter_table(gone).await?;
        }
        Ok(())
    }
}

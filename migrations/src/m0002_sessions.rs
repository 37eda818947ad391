//! The sessions, one row per log-in. `current_jti` and `previous_jti` are the refresh token that is
//! valid and the one that it has replaced; an ended session keeps its row for a while, with the
//! reason.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let person = ForeignKey::create()
            .from(table("sessions"), table("user_id"))
            .to(table("users"), table("id"))
            .on_delete(ForeignKeyAction::Cascade)
            .to_owned();
        let sessions = Table::create()
            .table(table("sessions"))
            .col(column::text("id").primary_key())
            .col(column::number("user_id"))
            .col(column::number("created_at"))
            .col(column::number("last_seen_at"))
            .col(column::number("expires_at"))
            .col(column::text("user_agent"))
            .col(column::text("ip"))
            .col(column::text("proved_by"))
            .col(column::number("proved_at"))
            .col(column::text("current_jti"))
            .col(column::text_or_null("previous_jti"))
            .col(column::number("rotated_at"))
            .col(column::number_or_null("ended_at"))
            .col(column::text_or_null("ended_because"))
            .foreign_key(&mut person.clone())
            .to_owned();
        manager.create_table(sessions).await?;
        manager.create_index(index("sessions", "sessions_user_id", &["user_id"])).await?;
        manager.create_index(index("sessions", "sessions_expires_at", &["expires_at"])).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("sessions")).to_owned()).await
    }
}

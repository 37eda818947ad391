//! Indexes for what staff search in the audit log, and for what the dashboard counts.

use sea_orm_migration::prelude::*;

use crate::{index, late};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns) in [
            ("audit_events_actor_at", &["actor_id", "at"]),
            ("audit_events_action_at", &["action", "at"]),
        ] {
            late::index(manager, "audit_events", index("audit_events", name, columns)).await?;
        }
        // The first of the new indexes answers what this one did.
        let by_actor = Index::drop().if_exists().name("audit_events_actor_id").to_owned();
        manager.drop_index(by_actor).await?;
        // Few e-mails have failed or wait; the partial indexes hold only those.
        if late::is_large(manager, "outbox").await? {
            return Ok(());
        }
        let connection = manager.get_connection();
        for sql in [
            "CREATE INDEX outbox_failed ON outbox (id) WHERE failed_at IS NOT NULL",
            "CREATE INDEX outbox_waiting ON outbox (id) WHERE due_at IS NOT NULL",
        ] {
            connection.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in
            ["audit_events_actor_at", "audit_events_action_at", "outbox_failed", "outbox_waiting"]
        {
            manager.drop_index(Index::drop().name(name).to_owned()).await?;
        }
        manager.create_index(index("audit_events", "audit_events_actor_id", &["actor_id"])).await
    }
}

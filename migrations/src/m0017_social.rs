//! Providers of social log-in, and which of their users has which account here.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let providers = Table::create()
            .table(table("social_providers"))
            .col(column::id())
            .col(column::text("kind"))
            // Its name in URLs. It never changes: identities and the provider's console hold it.
            .col(column::text("slug"))
            .col(column::text("name"))
            .col(column::text("client_id"))
            // Sealed, so that a copy of the database cannot act as this site.
            .col(column::text_or_null("client_secret"))
            .col(column::text("app_id"))
            .col(column::text("issuer"))
            .col(column::text("authorization_endpoint"))
            .col(column::text("token_endpoint"))
            .col(column::text("userinfo_endpoint"))
            .col(column::text("token_info_endpoint"))
            .col(column::flag("is_active", true))
            .col(column::number("position"))
            .col(column::number("created_at"))
            .col(column::number("updated_at"))
            .to_owned();
        manager.create_table(providers).await?;
        let slug = index("social_providers", "social_providers_slug", &["slug"]);
        manager.create_index(slug.clone().unique().to_owned()).await?;
        let identities = Table::create()
            .table(table("social_identities"))
            .col(column::id())
            .col(column::number("user_id"))
            // The provider's name in URLs. It may be registered in the settings alone, so there is
            // no foreign key.
            .col(column::text("provider"))
            .col(column::text("issuer"))
            .col(column::text("subject"))
            // The address or the name there, by which its owner recognises it.
            .col(column::text("label"))
            .col(column::number("connected_at"))
            .col(column::number("used_at"))
            .foreign_key(
                ForeignKey::create()
                    .from(table("social_identities"), table("user_id"))
                    .to(table("users"), table("id"))
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(identities).await?;
        // One user of a provider opens one account.
        let who = index("social_identities", "social_identities_subject", &["issuer", "subject"]);
        manager.create_index(who.clone().unique().to_owned()).await?;
        let whose = index("social_identities", "social_identities_user_id", &["user_id"]);
        manager.create_index(whose).await?;
        let where_from = index("social_identities", "social_identities_provider", &["provider"]);
        manager.create_index(where_from).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["social_identities", "social_providers"] {
            manager.drop_table(Table::drop().table(table(name)).to_owned()).await?;
        }
        Ok(())
    }
}

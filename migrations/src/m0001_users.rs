//! The accounts. `email_canonical` is what makes an address unique; `email` is where e-mails go. A
//! user without a password (`NULL`) logs in by other means or not at all.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let users = Table::create()
            .table(table("users"))
            .col(column::id())
            .col(column::text("email"))
            .col(column::text("email_canonical"))
            .col(column::text_or_null("password_hash"))
            .col(column::text("name").default(""))
            .col(column::text_or_null("gender"))
            .col(column::text_or_null("date_of_birth"))
            .col(column::flag("is_active", true))
            .col(column::flag("is_staff", false))
            .col(column::flag("is_superuser", false))
            .col(column::number_or_null("email_verified_at"))
            .col(column::number_or_null("last_login_at"))
            .col(column::number("created_at"))
            .col(column::number("updated_at"))
            .to_owned();
        manager.create_table(users).await?;
        let unique =
            index("users", "users_email_canonical", &["email_canonical"]).unique().to_owned();
        manager.create_index(unique).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(table("users")).to_owned()).await
    }
}

//! When each signing key begins to sign, and how long what it signs is valid at most.

use sea_orm_migration::prelude::*;

use crate::{column, index, table};

/// The longest life of a token that the setting ever allowed, in seconds: keys that are older than
/// this migration may have signed such tokens.
const LONGEST: i64 = 86_400;

/// Numbers the keys by age; until now each algorithm had generations of its own.
const IN_LINE: &str = "UPDATE signing_keys SET signs_from = created_at, generation = (\
     SELECT COUNT(*) FROM signing_keys AS other WHERE other.created_at < signing_keys.created_at \
     OR (other.created_at = signing_keys.created_at AND other.id <= signing_keys.id))";

/// The index that lets a generation be created once.
const NAME: &str = "signing_keys_generation";

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column per statement.
        for mut column in [
            column::number("signs_from").default(0).take(),
            column::number("token_lifetime").default(LONGEST).take(),
        ] {
            let keys = Table::alter().table(table("signing_keys")).add_column(&mut column).take();
            manager.alter_table(keys).await?;
        }
        // Generations now count over all algorithms, so that of two nodes that create the next key
        // one succeeds.
        manager.drop_index(Index::drop().name(NAME).to_owned()).await?;
        manager.get_connection().execute_unprepared(IN_LINE).await?;
        manager.create_index(index("signing_keys", NAME, &["generation"]).unique().take()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(NAME).to_owned()).await?;
        let columns = ["algorithm", "generation"];
        manager.create_index(index("signing_keys", NAME, &columns).unique().take()).await?;
        for name in ["signs_from", "token_lifetime"] {
            let keys = Table::alter().table(table("signing_keys")).drop_column(table(name)).take();
            manager.alter_table(keys).await?;
        }
        Ok(())
    }
}

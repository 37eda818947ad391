//! Daemun's tables, one migration per file, in the order in which they were added.
//!
//! Knows nothing of the program in `src`: a migration that has run once never changes, whatever
//! becomes of the code. Instants are whole microseconds since 1970-01-01T00:00:00Z (64 bits), which
//! compare and sort alike on SQLite and PostgreSQL.

pub use late::{LATE_INDEXES, LateIndex};
pub use sea_orm_migration::MigratorTrait;
pub use sea_orm_migration::prelude::SchemaManager;
use sea_orm_migration::prelude::*;

mod late;
mod m0001_users;
mod m0002_sessions;
mod m0003_signing_keys;
mod m0004_audit_events;
mod m0005_throttle;
mod m0006_one_time_links;
mod m0007_outbox;
mod m0008_language_and_leaving;
mod m0009_links_to_addresses;
mod m0010_groups;
mod m0011_moderation;
mod m0012_users_search;
mod m0013_audit_indexes;
mod m0014_bulk_deeds;
mod m0015_key_rotation;
mod m0017_social;
mod m0018_write_checks;
mod m0019_outbox_claims;
mod m0020_session_rotation;
mod m0021_failed_logins;
mod m0022_composed_text;
mod m0023_plain_names;

/// Applies what is not applied yet.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_users::Migration),
            Box::new(m0002_sessions::Migration),
            Box::new(m0003_signing_keys::Migration),
            Box::new(m0004_audit_events::Migration),
            Box::new(m0005_throttle::Migration),
            Box::new(m0006_one_time_links::Migration),
            Box::new(m0007_outbox::Migration),
            Box::new(m0008_language_and_leaving::Migration),
            Box::new(m0009_links_to_addresses::Migration),
            Box::new(m0010_groups::Migration),
            Box::new(m0011_moderation::Migration),
            Box::new(m0012_users_search::Migration),
            Box::new(m0013_audit_indexes::Migration),
            Box::new(m0014_bulk_deeds::Migration),
            Box::new(m0015_key_rotation::Migration),
            Box::new(m0017_social::Migration),
            Box::new(m0018_write_checks::Migration),
            Box::new(m0019_outbox_claims::Migration),
            Box::new(m0020_session_rotation::Migration),
            Box::new(m0021_failed_logins::Migration),
            Box::new(m0022_composed_text::Migration),
            Box::new(m0023_plain_names::Migration),
        ]
    }
}

/// Column shapes that all tables share.
mod column {
    use sea_orm_migration::prelude::*;

    pub(crate) fn text(name: &'static str) -> ColumnDef {
        ColumnDef::new(Alias::new(name)).text().not_null().take()
    }

    pub(crate) fn text_or_null(name: &'static str) -> ColumnDef {
        ColumnDef::new(Alias::new(name)).text().take()
    }

    pub(crate) fn flag(name: &'static str, default: bool) -> ColumnDef {
        ColumnDef::new(Alias::new(name)).boolean().not_null().default(default).take()
    }

    pub(crate) fn number(name: &'static str) -> ColumnDef {
        ColumnDef::new(Alias::new(name)).big_integer().not_null().take()
    }

    pub(crate) fn number_or_null(name: &'static str) -> ColumnDef {
        ColumnDef::new(Alias::new(name)).big_integer().take()
    }

    /// Returns the column of a generated primary key.
    pub(crate) fn id() -> ColumnDef {
        // A number is never given twice, also after its row is deleted: the audit log still names
        // it.
        ColumnDef::new(Alias::new("id"))
            .big_integer()
            .not_null()
            .auto_increment()
            .primary_key()
            .take()
    }
}

fn table(name: &'static str) -> Alias {
    Alias::new(name)
}

fn index(
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(Alias::new(table)).to_owned();
    for column in columns {
        index.col(Alias::new(*column));
    }
    index
}

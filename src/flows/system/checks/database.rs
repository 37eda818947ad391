//! Checks the database: whether it opens, its tables, its signing keys, and whether there is a
//! superuser.
//!
//! Changes nothing, and creates no secret key for a database.

use super::finding::Finding;
use crate::accounts;
use crate::config::Settings;
use crate::context::Context;
use crate::db;
use crate::db::Db;
use crate::keys;
use crate::keys::KeysError;

pub(super) async fn check_database(ctx: &Context) -> Vec<Finding> {
    match ctx.db.is_up_to_date().await {
        Ok(true) => {}
        Ok(false) => return vec![Finding::TablesOutdated],
        Err(error) => {
            let error = db::connection_error(&ctx.settings.database_url).await.unwrap_or(error);
            return vec![Finding::no_database(&ctx.settings, &error)];
        }
    }
    let keys = match keys::check(ctx).await {
        Ok(()) => None,
        Err(KeysError::Sealed(_)) => Some(Finding::KeysSealed),
        Err(error) => Some(Finding::cannot_open(&error)),
    };
    let superuser = match accounts::has_superuser(&ctx.db).await {
        Ok(true) => None,
        Ok(false) => Some(Finding::NoSuperuser),
        Err(error) => Some(Finding::cannot_open(&error)),
    };
    keys.into_iter().chain(superuser).collect()
}

/// Checks a database on a server while the secret key is missing or malformed; none is created for
/// it.
pub(super) async fn check_remote_database(settings: &Settings) -> Vec<Finding> {
    let db = match Db::open(&settings.database_url).await {
        Ok(db) => db,
        Err(error) => return vec![Finding::no_database(settings, &error)],
    };
    let found = match db.is_up_to_date().await {
        Ok(true) => match accounts::has_superuser(&db).await {
            Ok(true) => None,
            Ok(false) => Some(Finding::NoSuperuser),
            Err(error) => Some(Finding::cannot_open(&error)),
        },
        Ok(false) => Some(Finding::TablesOutdated),
        Err(error) => Some(Finding::no_database(settings, &error)),
    };
    db.close().await;
    found.into_iter().collect()
}

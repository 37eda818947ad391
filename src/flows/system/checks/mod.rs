//! Checks the settings for what is unsafe or broken, and the database, files and mail server that
//! they name.
//!
//! Changes nothing. Returns facts; the entry points turn them into sentences.

mod database;
mod files;
mod finding;
mod mail;
mod settings;

use std::net::IpAddr;

use self::database::{check_database, check_remote_database};
pub use self::files::readable_secrets;
use self::files::{check_files, check_secret_files};
pub use self::finding::Finding;
use self::mail::check_mail;
use self::settings::check_settings;
use crate::clock::Clock;
use crate::config::{DatabaseUrl, Settings};
use crate::context::{Context, ContextError};

/// Checks what needs neither the database nor the mail server.
#[must_use]
pub fn check_quickly(settings: &Settings, listens_on: IpAddr) -> Vec<Finding> {
    let mut found = check_settings(settings, listens_on);
    found.extend(check_secret_files(settings));
    found
}

/// Checks all that [`check_all`] checks, while the program runs.
pub async fn check_running(ctx: &Context, listens_on: IpAddr) -> Vec<Finding> {
    let mut found = check_quickly(&ctx.settings, listens_on);
    found.extend(check_mail(&ctx.settings).await);
    found.extend(check_database(ctx).await);
    found
}

/// Checks everything and changes nothing. `listens_on` is the address that the server binds.
pub async fn check_all(settings: &Settings, listens_on: IpAddr, clock: Clock) -> Vec<Finding> {
    let mut found = check_settings(settings, listens_on);
    found.extend(check_mail(settings).await);
    found.extend(check_secret_files(settings));
    let of_files = check_files(settings);
    if !of_files.is_empty() {
        // The context is not opened: that would create the missing files, and a check changes
        // nothing.
        found.extend(of_files);
        if matches!(settings.database_url, DatabaseUrl::Postgres(_)) {
            found.extend(check_remote_database(settings).await);
        }
        return found;
    }
    match Context::open(settings.clone(), clock).await {
        Ok(ctx) => {
            found.extend(check_database(&ctx).await);
            ctx.db.close().await;
        }
        Err(ContextError::Database(error)) => found.push(Finding::no_database(settings, &error)),
        Err(error) => found.push(Finding::cannot_open(&error)),
    }
    found
}

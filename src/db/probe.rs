//! Finds out why PostgreSQL cannot be reached. A pool tries again until its time is up and then says only
//! that it is; one connection by itself is told the reason.

use std::io;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{DbErr, RuntimeErr, sqlx};

use super::{DbError, WAIT};
use crate::config::DatabaseUrl;

/// Returns what one connection to PostgreSQL is told; `None` when it succeeds, and for SQLite, which
/// gives its reasons itself.
pub async fn connection_error(url: &DatabaseUrl) -> Option<DbError> {
    let DatabaseUrl::Postgres(url) = url else { return None };
    let options: PgConnectOptions = url.parse().ok()?;
    let error = match tokio::time::timeout(WAIT, options.connect()).await {
        Ok(Ok(_)) => return None,
        Ok(Err(error)) => error,
        Err(_) => sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer")),
    };
    Some(DbError(DbErr::Conn(RuntimeErr::SqlxError(error.into()))))
}

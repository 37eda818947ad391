//! Opening PostgreSQL, also behind a pooler such as pgbouncer in transaction mode.
//!
//! A connection tells the server its settings when it begins. A pooler either refuses them or drops them,
//! which is how it is found out: among the settings is one that only we read back. Then each transaction
//! sets what it needs, and no prepared statement outlives a transaction.

use std::sync::Arc;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool};
use sea_orm::sqlx::{self, Row as _};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};

use super::pool::{Health, watched};
use super::{DbError, WAIT};

/// Connections to PostgreSQL per node; its default limit of 100 leaves room for several nodes.
const CONNECTIONS: u32 = 16;

/// What holds for every statement. What is read in milliseconds is not worth compiling, however dear it
/// looks: ten thousand people looked up one by one come close to what PostgreSQL compiles. Its limit for
/// a statement is below the time that we wait for an answer: it ends the statement and says so, where we
/// could only stop listening.
pub(super) const SETTINGS: [(&str, &str); 3] =
    [("lock_timeout", "5s"), ("statement_timeout", "6s"), ("jit", "off")];

/// A setting that nothing but we knows: it arrives where the connection is a session of the server.
const MARK: (&str, &str) = ("daemun.is_direct", "on");

/// What a pooler answers to a setting that it neither knows nor ignores: a violation of the protocol.
const REFUSED: &str = "08P01";

/// Statements of one transaction that stay prepared until it ends, behind a pooler.
const PREPARED: usize = 64;

/// Opens a pool of connections, and finds out whether a pooler is in between.
pub(super) async fn connect(
    url: &str,
    health: &Arc<Health>,
) -> Result<(DatabaseConnection, bool), DbError> {
    match Database::connect(direct(url, health)).await {
        Ok(pool) => {
            if is_marked(pool.get_postgres_connection_pool()).await? {
                return Ok((pool, false));
            }
            if let Err(error) = pool.close().await {
                tracing::warn!(%error, "a connection to the pooler did not close");
            }
        }
        Err(error) => {
            let error = DbError::from(error);
            if !error.has_code(REFUSED) {
                return Err(error);
            }
        }
    }
    tracing::info!("the database is behind a pooler: each transaction sets what it needs");
    Ok((Database::connect(pooled(url, health)).await?, true))
}

/// Whether the server itself has our settings. The question has no values, so that it is one message,
/// which no pooler takes apart.
async fn is_marked(pool: &PgPool) -> Result<bool, DbError> {
    let failed = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)));
    let question = format!("SELECT coalesce(current_setting('{}', true), '')", MARK.0);
    let answer = sqlx::raw_sql(sqlx::AssertSqlSafe(question)).fetch_one(pool).await;
    let answer: String = answer.and_then(|row| row.try_get(0)).map_err(failed)?;
    Ok(answer == MARK.1)
}

fn common(url: &str, health: &Arc<Health>, is_pooled: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    let health = health.clone();
    options
        .max_connections(CONNECTIONS)
        .acquire_timeout(WAIT)
        .connect_timeout(WAIT)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_postgres_pool_opts(move |pool| watched(pool, &health, is_pooled));
    options
}

fn direct(url: &str, health: &Arc<Health>) -> ConnectOptions {
    let mut options = common(url, health, false);
    options.map_sqlx_postgres_opts(|options: PgConnectOptions| {
        options
            .application_name("daemun")
            .options(SETTINGS)
            .options([MARK])
            .statement_cache_capacity(256)
    });
    options
}

fn pooled(url: &str, health: &Arc<Health>) -> ConnectOptions {
    let mut options = common(url, health, true);
    options.map_sqlx_postgres_opts(|options: PgConnectOptions| {
        options
            .application_name("daemun")
            .extra_float_digits(None)
            .statement_cache_capacity(PREPARED)
    });
    options
}

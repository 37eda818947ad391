//! Opening PostgreSQL, also behind a pooler such as pgbouncer in transaction mode.
//!
//! A connection sends its settings with its startup parameters. A pooler either refuses them or drops
//! them, so it is detected by a setting that only Daemun knows. Behind a pooler, each transaction sets
//! what it needs, and no prepared statement outlives a transaction (docs/decisions/0017).

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, Connection as _, Row as _};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};
use tokio::time::timeout;

use super::health::Health;
use super::pool::{Pool, SETTINGS, closing};
use super::{DbError, WAIT};

/// Connections to PostgreSQL per node; its default limit of 100 leaves room for several nodes.
const CONNECTIONS: u32 = 16;

/// A setting that no other program knows: it arrives only where no pooler is in between.
const MARK: (&str, &str) = ("daemun.is_direct", "on");

/// What a pooler answers to a setting that it neither knows nor ignores (`protocol_violation`).
const REFUSED: &str = "08P01";

/// How many statements stay prepared until their transaction ends, behind a pooler.
const PREPARED: usize = 64;

/// How long an idle connection may take for its first answer, which costs a server nothing.
const PING_WITHIN: Duration = Duration::from_secs(1);

/// Opens connections to PostgreSQL, which write and read.
pub(super) async fn open(url: &str) -> Result<(Pool, Pool), DbError> {
    let health = Arc::new(Health::new(true));
    let (connections, is_pooled) = connect(url, &health).await?;
    let pool = |may_write| {
        let (connections, health) = (connections.clone(), health.clone());
        Pool::new(connections, health, may_write, is_pooled)
    };
    Ok((pool(true), pool(false)))
}

/// Opens a pool of connections, and finds out whether a pooler is in between.
async fn connect(url: &str, health: &Arc<Health>) -> Result<(DatabaseConnection, bool), DbError> {
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

/// Returns whether our settings have arrived at the server itself.
async fn is_marked(pool: &PgPool) -> Result<bool, DbError> {
    let failed = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)));
    let question = format!("SELECT coalesce(current_setting('{}', true), '')", MARK.0);
    // Without bound values it is one message, which no pooler sends to two servers.
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
        // `watched` does more than this ping would, for the same price.
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
            // Only startup parameters that pgbouncer follows by itself.
            .extra_float_digits(None)
            .statement_cache_capacity(PREPARED)
    });
    options
}

/// Returns whether PostgreSQL answers on this connection and reports autocommit.
async fn is_in_autocommit(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        return Ok(false);
    }
    // sqlx takes this for a statement that begins a transaction, and compares with the state that the
    // server reports. It finds a BEGIN whose answer was not waited for, at the price of a ping.
    match connection.begin_with("SELECT 1").await {
        Err(sqlx::Error::BeginFailed) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Checks each connection to PostgreSQL when it is given back and when it is handed out.
fn watched(pool: PgPoolOptions, health: &Arc<Health>, is_pooled: bool) -> PgPoolOptions {
    let (released, acquired) = (health.clone(), health.clone());
    pool.after_release(move |connection, metadata| {
        let is_trusted = released.trusts(&metadata);
        Box::pin(async move {
            if !is_trusted {
                // An error closes it without a message to a server that may never read it.
                return Err(sqlx::Error::WorkerCrashed);
            }
            if connection.is_in_transaction() {
                return Ok(closing("a transaction is open on it"));
            }
            if is_pooled {
                // The next transaction may be on another server, where none of these are prepared.
                connection.clear_cached_statements().await?;
            }
            Ok(true)
        })
    })
    .before_acquire(move |connection, metadata| {
        let health = acquired.clone();
        Box::pin(async move {
            if !health.trusts(&metadata) {
                return Err(sqlx::Error::WorkerCrashed);
            }
            let Ok(answer) = timeout(PING_WITHIN, is_in_autocommit(connection)).await else {
                health.suspect();
                return Err(sqlx::Error::PoolTimedOut);
            };
            Ok(answer? || closing("a transaction is open on it"))
        })
    })
}

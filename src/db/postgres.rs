//! Opening PostgreSQL, also behind a pooler such as pgbouncer in transaction mode.
//!
//! A connection tells the server its settings when it begins. A pooler either refuses them or drops them,
//! which is how it is found out: among the settings is one that only we read back. Then each transaction
//! sets what it needs, and no prepared statement outlives a transaction.

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

/// A setting that nothing but we knows: it arrives where the connection is a session of the server.
const MARK: (&str, &str) = ("daemun.is_direct", "on");

/// What a pooler answers to a setting that it neither knows nor ignores: a violation of the protocol.
const REFUSED: &str = "08P01";

/// Statements of one transaction that stay prepared until it ends, behind a pooler.
const PREPARED: usize = 64;

/// The same for the first answer of an idle connection, which costs a server nothing.
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

/// Whether PostgreSQL answers on this connection and says that it is in autocommit. sqlx looks at the
/// state that the server reports after the statement that is to begin a transaction, and says that
/// none has begun. A BEGIN whose answer was not waited for is found here; a mere ping costs as much
/// and finds nothing.
async fn is_in_autocommit(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        return Ok(false);
    }
    match connection.begin_with("SELECT 1").await {
        Err(sqlx::Error::BeginFailed) => Ok(true),
        Ok(_) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Has PostgreSQL's connections looked at whenever one is given back or handed out.
fn watched(pool: PgPoolOptions, health: &Arc<Health>, is_pooled: bool) -> PgPoolOptions {
    let (released, acquired) = (health.clone(), health.clone());
    pool.after_release(move |connection, metadata| {
        let is_trusted = released.trusts(&metadata);
        Box::pin(async move {
            if !is_trusted {
                // An error closes it without a farewell, which may never be read.
                return Err(sqlx::Error::WorkerCrashed);
            }
            if connection.is_in_transaction() {
                return Ok(closing("a transaction is open on it"));
            }
            if is_pooled {
                // The next transaction may be on another server, which knows none of them.
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

//! Bringing tables up to date while others hold what is needed, with many users, and after a start that
//! was cut off.

use std::time::Duration;

use ::migrations::{LATE_INDEXES, Migrator, MigratorTrait as _};
use daemun::testing::config::DatabaseUrl;
use daemun::testing::db::Db;
use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait as _,
};

use crate::support::{TestEnv, on_both};

/// Longer than any request waits, which is what migrations once gave up after.
const LONG: Duration = Duration::from_secs(6);

/// More users than are indexed while their table is locked.
const MANY: u32 = 100_050;

fn backend(url: &str) -> DbBackend {
    if url.starts_with("postgres") { DbBackend::Postgres } else { DbBackend::Sqlite }
}

async fn number(connection: &impl ConnectionTrait, sql: &str) -> i64 {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect(sql).expect("a row");
    row.try_get_by_index(0).expect("a number")
}

/// An empty database, with the tables before the search of users, and many users in them.
async fn crowded(url: &str) -> DatabaseConnection {
    let database = Database::connect(url).await.expect("the database opens");
    let before = Migrator::migrations().iter().position(|it| it.name() == "m0012_users_search");
    let before = u32::try_from(before.expect("a migration")).ok();
    Migrator::up(&database, before).await.expect("the tables of then");
    let sql = format!(
        "INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
         SELECT 'p' || i || '@example.com', 'p' || i || '@example.com', 'Crowd', i, 0 \
         FROM generate_series(1, {MANY}) i"
    );
    database.execute_unprepared(&sql).await.expect("many users");
    database
}

/// How many late indexes there have to be.
fn all() -> i64 {
    i64::try_from(LATE_INDEXES.len()).expect("few")
}

/// Late indexes that are there and whole.
async fn whole(database: &DatabaseConnection) -> i64 {
    let names = LATE_INDEXES.map(|index| format!("'{}'", index.name)).join(", ");
    let sql = format!(
        "SELECT COUNT(*) FROM pg_index WHERE indisvalid AND indexrelid::regclass::text IN ({names})"
    );
    number(database, &sql).await
}

#[on_both]
async fn a_node_waits_for_another_nodes_migration(env: TestEnv) {
    let url = env.empty_database("waits").await;
    let database: DatabaseUrl = url.parse().expect("a URL");
    let db = Db::open(&database).await.expect("opens");
    let file = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url.clone() };
    let other = Database::connect(file).await.expect("opens");
    let held = other.begin().await.expect("begins");
    let statement = match backend(&url) {
        DbBackend::Postgres => "SELECT pg_advisory_xact_lock(110369476277614)",
        _ => "CREATE TABLE held (id integer)",
    };
    held.execute_unprepared(statement).await.expect("held");

    let mut migrating = Box::pin(db.migrate());
    let waits = rocket::tokio::time::timeout(LONG, &mut migrating).await;
    held.rollback().await.expect("let go");
    let done = migrating.await;

    assert!(waits.is_err(), "{waits:?}");
    done.expect("migrated");
    assert!(db.is_up_to_date().await.expect("asked"));
    db.close().await;
}

#[on_both]
async fn indexes_are_built_beside_writers(env: TestEnv) {
    let url = env.empty_database("many").await;
    if backend(&url) != DbBackend::Postgres {
        // SQLite has one writer at all times; `many_users_are_found_after_the_migration` is its story.
        return;
    }
    let database = crowded(&url).await;
    let db = Db::open(&url.parse().expect("a URL")).await.expect("opens");
    // What the migrations run with, as they see it.
    for sql in [
        "CREATE TABLE seen (setting text)",
        "CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO seen VALUES (current_setting('statement_timeout')); END $$",
        "CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION see()",
    ] {
        database.execute_unprepared(sql).await.expect(sql);
    }

    db.migrate().await.expect("migrated");

    assert_eq!(number(&database, "SELECT COUNT(*) FROM users_search").await, i64::from(MANY));
    assert_eq!(whole(&database).await, all());
    assert!(number(&database, "SELECT COUNT(*) FROM seen").await > 10);
    assert_eq!(number(&database, "SELECT COUNT(*) FROM seen WHERE setting <> '0'").await, 0);
    let left = "SELECT COUNT(*) FROM pg_class WHERE relname = 'users_search_fill'";
    assert_eq!(number(&database, left).await, 0);
    db.close().await;
    database.close().await.expect("closes");
}

#[on_both]
async fn an_interrupted_migration_is_continued(env: TestEnv) {
    let url = env.empty_database("cut").await;
    if backend(&url) != DbBackend::Postgres {
        // On SQLite all of it is one transaction.
        return;
    }
    let db = Db::open(&url.parse().expect("a URL")).await.expect("opens");
    db.migrate().await.expect("migrated");
    let database = Database::connect(&url).await.expect("opens");
    // As a server leaves it that is killed while it fills the search, and while it builds an index.
    for sql in [
        "INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
         SELECT 'p' || i, 'p' || i, 'Crowd', i, 0 FROM generate_series(1, 25000) i",
        "DELETE FROM users_search WHERE id > 12000",
        "UPDATE users_search SET text = 'newer' WHERE id = 11999",
        "CREATE TABLE users_search_fill (last_id bigint NOT NULL)",
        "INSERT INTO users_search_fill (last_id) VALUES (10000)",
        "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'users_created_at'::regclass",
        "DROP INDEX users_staff",
    ] {
        database.execute_unprepared(sql).await.expect(sql);
    }

    db.migrate().await.expect("gone on with");

    assert_eq!(number(&database, "SELECT COUNT(*) FROM users_search").await, 25_000);
    let newer = "SELECT COUNT(*) FROM users_search WHERE text = 'newer'";
    assert_eq!(number(&database, newer).await, 1, "what is there is left alone");
    assert_eq!(whole(&database).await, all());
    let left = "SELECT COUNT(*) FROM pg_class WHERE relname = 'users_search_fill'";
    assert_eq!(number(&database, left).await, 0);
    db.close().await;
    database.close().await.expect("closes");
}

#[on_both]
async fn a_locked_table_is_awaited_without_blocking_others(env: TestEnv) {
    let url = env.empty_database("used").await;
    if backend(&url) != DbBackend::Postgres {
        return;
    }
    let database = crowded(&url).await;
    let db = Db::open(&url.parse().expect("a URL")).await.expect("opens");
    let reading = database.begin().await.expect("begins");
    reading.execute_unprepared("SELECT COUNT(*) FROM users").await.expect("reads");

    let mut migrating = Box::pin(db.migrate());
    let waits = rocket::tokio::time::timeout(LONG, &mut migrating).await;
    let others = rocket::tokio::join!(
        rocket::tokio::time::timeout(Duration::from_mins(1), migrating.as_mut()),
        async {
            // A request that comes later than the migration, which is in the queue already.
            let name = "UPDATE users SET name = 'Ada' WHERE id = 1";
            let done = rocket::tokio::time::timeout(LONG, database.execute_unprepared(name)).await;
            reading.rollback().await.expect("let go");
            done
        }
    );

    assert!(waits.is_err(), "it waits");
    others.1.expect("it was not kept waiting").expect("written");
    others.0.expect("it goes on").expect("migrated");
    db.close().await;
    database.close().await.expect("closes");
}

#[on_both]
async fn many_users_are_found_after_the_migration(env: TestEnv) {
    let url = env.empty_database("crowd").await;
    let file = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url.clone() };
    let database = Database::connect(file).await.expect("opens");
    let before = Migrator::migrations().iter().position(|it| it.name() == "m0012_users_search");
    let before = u32::try_from(before.expect("a migration")).ok();
    Migrator::up(&database, before).await.expect("the tables of then");
    // Two batches and a bit, with a gap.
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20100) \
        INSERT INTO users (id, email, email_canonical, name, created_at, updated_at) \
        SELECT i * 3, 'p' || i || '@example.com', 'p' || i || '@example.com', 'Crowd', i, 0 FROM n";
    database.execute_unprepared(sql).await.expect("people");
    let db = Db::open(&url.parse().expect("a URL")).await.expect("opens");

    db.migrate().await.expect("migrated");

    let found = match backend(&url) {
        DbBackend::Postgres => "SELECT COUNT(*) FROM users_search WHERE text LIKE '%crowd%'",
        _ => "SELECT COUNT(*) FROM users_search WHERE users_search MATCH '\"crowd\"'",
    };
    assert_eq!(number(&database, found).await, 20_100);
    db.close().await;
    database.close().await.expect("closes");
}

#[on_both]
async fn tables_and_columns_are_renamed_with_their_data(env: TestEnv) {
    let url = env.empty_database("renamed").await;
    let file = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url.clone() };
    let database = Database::connect(file).await.expect("opens");
    let before = Migrator::migrations().iter().position(|it| it.name() == "m0023_plain_names");
    let before = u32::try_from(before.expect("a migration")).ok();
    Migrator::up(&database, before).await.expect("the tables of then");
    for sql in [
        "INSERT INTO users (id, email, email_canonical, created_at, updated_at) \
         VALUES (7, 'ada@example.com', 'ada@example.com', 1, 1)",
        "INSERT INTO sessions (id, user_id, created_at, last_seen_at, expires_at, user_agent, ip, \
         proved_by, proved_at, current_jti, rotated_at) \
         VALUES ('s', 7, 1, 1, 9, '', '', 'password', 4, 'j', 1)",
        "INSERT INTO outbox (recipient, language, kind, sealed, created_at, due_at, worthless_at, \
         tries, reason) VALUES ('ada@example.com', 'en', 'test', 'x', 1, 2, 3, 4, 'no answer')",
        "INSERT INTO bulk_deeds (kind, actor_id, ip, user_agent, request_id, orders, state, place, \
         done, left_out, created_at) VALUES ('delete', 7, '', '', '', 'sealed', 'running', 5, 6, 8, 1)",
        "INSERT INTO bulk_befores (bulk_id, user_id, version, inactive_reason) VALUES (1, 7, 2, '')",
    ] {
        database.execute_unprepared(sql).await.expect(sql);
    }
    let db = Db::open(&url.parse().expect("a URL")).await.expect("opens");

    db.migrate().await.expect("migrated");

    for kept in [
        "sessions WHERE auth_method = 'password' AND authenticated_at = 4",
        "outbox WHERE expires_at = 3 AND attempts = 4 AND last_error = 'no answer' AND due_at = 2",
        "bulk_jobs WHERE id = 1 AND payload = 'sealed' AND cursor = 5 AND skipped = 8 AND done = 6",
        "bulk_snapshots WHERE job_id = 1 AND user_id = 7 AND version = 2",
    ] {
        assert_eq!(number(&database, &format!("SELECT COUNT(*) FROM {kept}")).await, 1, "{kept}");
    }
    // Numbers go on where they were, the index is there, and a job still takes its snapshots with it.
    let next = "INSERT INTO bulk_jobs (kind, actor_id, ip, user_agent, request_id, payload, state, \
        created_at) VALUES ('verify', 7, '', '', '', '', 'done', 1)";
    database.execute_unprepared(next).await.expect(next);
    assert_eq!(number(&database, "SELECT MAX(id) FROM bulk_jobs").await, 2);
    let index = match backend(&url) {
        DbBackend::Postgres => "SELECT COUNT(*) FROM pg_indexes WHERE indexname LIKE 'bulk_jobs_%'",
        _ => "SELECT COUNT(*) + 1 FROM sqlite_master WHERE name LIKE 'bulk_jobs_%'",
    };
    assert_eq!(number(&database, index).await, 2);
    database.execute_unprepared("DELETE FROM bulk_jobs WHERE id = 1").await.expect("deleted");
    assert_eq!(number(&database, "SELECT COUNT(*) FROM bulk_snapshots").await, 0);

    // And back, for operators who return to the version before.
    Migrator::down(&database, Some(1)).await.expect("the names of then");
    let old = "SELECT COUNT(*) FROM bulk_deeds WHERE orders = '' AND place = 0";
    assert_eq!(number(&database, old).await, 1);
    db.close().await;
    database.close().await.expect("closes");
}

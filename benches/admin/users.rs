//! The users of a site: which words find which of them, and how they are inserted.
//!
//! They come before the migration that makes the index for searching, as on a site that grew before
//! it had one: the migration fills the index at once, where the triggers would take minutes for a
//! million. What is found is the same.

use daemun::testing::context::Context;
use daemun::testing::flows;
use daemun::testing::types::{Email, Language, Password, RequestInfo};
use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend};

/// The superuser's address.
pub(crate) const ROOT: &str = "root@example.com";

/// Her password; being strong does not matter here.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";

/// Found once in ten users.
pub(crate) const TENTH: &str = "lovelace";

/// Found ten times on every site.
pub(crate) const TEN: &str = "남궁하늘";

/// Found nowhere.
pub(crate) const NONE: &str = "zirconia";

/// A given name of two letters, which has no index; one in a hundred has it, or a few fewer.
pub(crate) const SHORT: &str = "민준";

/// The migration that makes the index.
const SEARCH: &str = "m0012_users_search";

/// Somebody's address.
pub(crate) fn email(number: u32) -> String {
    format!("person{number}@example.com")
}

/// Returns when a user signed up: one a minute since 2020.
pub(crate) fn joined_at(number: u32) -> i64 {
    (1_577_836_800 + 60 * i64::from(number)) * 1_000_000
}

/// Makes the tables and the accounts. Their numbers are 1, 2, 3 ...
pub(crate) async fn insert_users(url: &str, users: u32) {
    let database = open(url).await;
    let all = Migrator::migrations();
    let before = all.iter().position(|migration| migration.name() == SEARCH);
    let before = before.and_then(|before| u32::try_from(before).ok()).expect("it has that name");
    Migrator::up(&database, Some(before)).await.expect("tables can be made");
    let (since, minute) = (joined_at(0), joined_at(1) - joined_at(0));
    let joined = format!("{since} + CAST(i AS bigint) * {minute}");
    let sql = format!(
        "INSERT INTO users (email, email_canonical, name, is_active, email_verified_at, \
         last_login_at, created_at, updated_at) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {users}) \
         SELECT 'person' || i || '@example.com', 'person' || i || '@example.com', \
         CASE WHEN i % 10 = 1 THEN 'Ada Lovelace' WHEN i % ({users} / 10) = 0 THEN '{TEN}' \
         ELSE substr('김이박최정강조윤장임', i % 10 + 1, 1) \
         || substr('민서지하도예준윤현수', i / 10 % 10 + 1, 1) \
         || substr('준우진윤호아은영희연', i / 100 % 10 + 1, 1) END, \
         i % 10 <> 2, CASE WHEN i % 5 <> 0 THEN {joined} END, \
         CASE WHEN i % 3 <> 0 THEN {joined} END, {joined}, {joined} FROM n"
    );
    database.execute_unprepared(&sql).await.expect("accounts can be made");
    database.close().await.expect("the connection closes");
}

/// Makes the superuser, as the command does. The other tables are there by now.
pub(crate) async fn create_superuser(ctx: &Context) {
    let address = Email::parse(ROOT).expect("an address");
    let password = Password::parse(PASSWORD).expect("a password");
    let info = RequestInfo::new(None, "bench", "request".into(), None);
    let made =
        flows::admin::setup::create_superuser(ctx, address, Language::English, password, &info)
            .await;
    made.expect("a superuser can be made");
    ctx.db.close().await;
}

/// Does now what PostgreSQL would do by itself within a minute.
pub(crate) async fn analyze(url: &str) {
    let database = open(url).await;
    if database.get_database_backend() == DbBackend::Postgres {
        database.execute_unprepared("VACUUM ANALYZE").await.expect("the database is ours");
    }
    database.close().await.expect("the connection closes");
}

async fn open(url: &str) -> DatabaseConnection {
    // SQLite makes a file only when asked to.
    let url = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url.to_owned() };
    Database::connect(url).await.expect("the database answers")
}

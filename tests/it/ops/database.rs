//! Opening the database, and bringing its tables up to date.

use daemun::testing::config::DatabaseUrl;
use daemun::testing::db::Db;
use futures::future::join_all;

use crate::support::env::Engine;
use crate::support::{TestEnv, on_both};

/// An empty database on the env's engine.
async fn empty(env: &TestEnv) -> DatabaseUrl {
    env.empty_database("fresh").await.parse().expect("a URL")
}

#[on_both]
async fn readers_opening_at_once_all_open(env: TestEnv) {
    for number in 0..30 {
        let url = env.empty_database(&format!("fresh{number}")).await;
        let db = Db::open(&url.parse().expect("a database")).await.expect("opens");
        db.migrate().await.expect("migrated");

        let asked = join_all((0..4).map(|_| {
            let db = db.clone();
            rocket::tokio::spawn(async move { db.is_up_to_date().await })
        }));
        for answer in asked.await {
            assert!(answer.expect("no panic").expect("the database answers"));
        }
        db.close().await;
    }
}

#[on_both]
async fn eight_nodes_starting_on_an_empty_database_agree(env: TestEnv) {
    let url = env.empty_database("fresh").await;
    let nodes = (0..8).map(|_| {
        let figment = env.figment(&[("database_url", &url)]);
        let settings = daemun::testing::config::Settings::from_figment(&figment).expect("settings");
        rocket::tokio::spawn(daemun::testing::app::open(settings, env.clock.clone()))
    });

    let nodes: Vec<_> = join_all(nodes).await.into_iter().map(|it| it.expect("no panic")).collect();

    let ids: Vec<_> = nodes
        .iter()
        .map(|node| {
            let keyring = node.as_ref().expect("opens").keyring();
            keyring.current(env.clock.now()).expect("a key").id.clone()
        })
        .collect();
    assert!(ids.iter().all(|id| id == &ids[0]), "one signing key: {ids:?}");
}

#[on_both]
async fn migrating_twice_changes_nothing(env: TestEnv) {
    let db = Db::open(&empty(&env).await).await.expect("opens");

    db.migrate().await.expect("the first time");
    db.migrate().await.expect("the second time");

    db.close().await;
}

#[on_both]
async fn sixty_four_writers_at_once_are_served(env: TestEnv) {
    let app = env.app().await;
    let writers = (0..64).map(|number| {
        let ctx = app.ctx.clone();
        rocket::tokio::spawn(async move {
            let application = daemun::testing::flows::account::signup::SignupRequest {
                email: daemun::testing::types::Email::parse(&format!("w{number}@example.com"))
                    .expect("an address"),
                password: daemun::testing::types::Password::parse(crate::support::GOOD)
                    .expect("typed"),
                profile: daemun::testing::types::Profile::default(),
                language: daemun::testing::types::Language::English,
            };
            let info = crate::support::app::request_info();
            daemun::testing::flows::account::signup::sign_up(&ctx, application, None, &info)
                .await
                .is_ok()
        })
    });

    let served = join_all(writers).await;

    assert!(served.into_iter().all(|it| it.expect("no panic")));
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 64);
}

#[on_both]
async fn an_unfinished_transaction_changes_nothing(env: TestEnv) {
    let app = env.app().await;
    {
        let transaction = app.ctx.db.begin().await.expect("begins");
        let sql = "INSERT INTO throttle (id, level, counted_at, open_at, forgotten_at) VALUES ('x', 1, 0, 0, 0)";
        sea_orm::ConnectionTrait::execute_unprepared(transaction.connection(), sql)
            .await
            .expect(sql);
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM throttle").await, 0);
    app.forgets_attempts().await;
}

#[test]
fn a_stuck_writer_makes_others_fail_fast() {
    crate::support::run_test(Engine::Sqlite, |env| async move {
        let app = env.app().await;
        let mut ada = app.user("ada").await;
        let stalled = app.ctx.db.begin().await.expect("begins");

        let start = std::time::Instant::now();
        let page = app.visitor().logs_in("ada@example.com", crate::support::GOOD).await;

        assert_eq!((page.status(), page.header("retry-after")), (503, Some("5")));
        assert!(start.elapsed() < std::time::Duration::from_secs(8), "{:?}", start.elapsed());
        assert!(ada.is_signed_in().await, "reading goes on");
        stalled.commit().await.expect("ends");
        assert_eq!(
            app.visitor().logs_in("ada@example.com", crate::support::GOOD).await.status(),
            303
        );
    });
}

#[test]
fn sqlite_is_opened_for_safety() {
    crate::support::run_test(Engine::Sqlite, |env| async move {
        let app = env.app().await;
        assert_eq!(app.query_number("PRAGMA foreign_keys").await, 1);
        assert_eq!(app.query_number("PRAGMA synchronous").await, 2, "FULL");
        assert_eq!(app.query_number("PRAGMA query_only").await, 1, "readers cannot write");
        #[cfg(unix)]
        for file in ["daemun.db", "daemun.db-wal", "daemun.db-shm"] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(env.folder().join(file)).expect(file).permissions();
            assert_eq!(mode.mode() & 0o777, 0o600, "{file} is its owner's alone");
        }
    });
}

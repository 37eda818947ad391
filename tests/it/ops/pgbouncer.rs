//! Behind pgbouncer in transaction mode, where each transaction may be on another server.

use daemun::testing::worker;
use futures::future::join_all;

use crate::admin::user_import::uploads;
use crate::support::env::Engine;
use crate::support::pgbouncer::PgBouncer;
use crate::support::postgres::Cluster;
use crate::support::run_test;
use crate::support::{GOOD, NEW, TestEnv};

/// Startup parameters that pgbouncer drops: none, as it comes, and those that operators add to the list.
const IGNORED: [&str; 2] = ["", "extra_float_digits,options"];

/// The database of a story behind a pgbouncer.
fn behind(env: &TestEnv, ignored: &str) -> Option<(PgBouncer, String)> {
    let bouncer = PgBouncer::start(Cluster::get()?, ignored)?;
    let url = bouncer.url(env.database_name());
    Some((bouncer, url))
}

#[test]
fn two_nodes_serve_users_and_share_nothing() {
    for ignored in IGNORED {
        run_test(Engine::Postgres, |env| async move {
            let Some((bouncer, url)) = behind(&env, ignored) else { return };
            let settings = [("database_url", url.as_str()), ("session_cache", "0s")];
            let nodes = [env.app_with(&settings).await, env.app_with(&settings).await];

            let stories = (0..16).map(|number| {
                let app = &nodes[number % 2];
                async move {
                    let name = format!("person{number}");
                    let email = format!("{name}@example.com");
                    let mut user = app.visitor().from(&format!("192.0.2.{number}:4000"));
                    let joined = user.signs_up(&email, GOOD).await;
                    assert_eq!(joined.location(), Some("/account/mypage"), "{}", joined.text());
                    for _ in 0..4 {
                        let page = user.get("/account/mypage").await;
                        assert_eq!(page.status(), 200, "{}", page.text());
                        assert!(page.text().contains(&email), "{email}: {}", page.text());
                    }
                    let changed = user.changes_password(GOOD, NEW).await;
                    assert_eq!(changed.status(), 303, "{}", changed.text());
                    let mut again = app.visitor().from(&format!("192.0.2.{number}:4001"));
                    assert_eq!(again.logs_in(&email, NEW).await.status(), 303);
                    assert_eq!(again.logs_out().await.status(), 303);
                }
            });
            join_all(stories).await;

            assert_eq!(
                nodes[0].query_number("SELECT COUNT(*) FROM users").await,
                16,
                "{}",
                bouncer.log()
            );
            assert_eq!(nodes[1].audit_event_count("password_changed").await, 16);
            nodes[0].discards_emails().await;
        });
    }
}

#[test]
fn staff_and_the_worker_work_behind_it() {
    run_test(Engine::Postgres, |env| async move {
        let Some((_bouncer, url)) = behind(&env, IGNORED[0]) else { return };
        let app = env.app_with(&[("database_url", url.as_str())]).await;
        let mut root = app.superuser("root").await;
        let list: Vec<_> = (0..300).map(|n| format!("p{n}@example.com")).collect();

        let page =
            uploads(&mut root, format!("email\n{}", list.join("\n")).as_bytes(), false).await;
        let plan = page.attribute("input[name=plan]", "value").expect("a plan");
        root.submits("/admin/users/import", &[("plan", &plan)]).await;
        worker::run_bulk_jobs(&app.ctx).await;

        assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 301);
        let page = root.get("/admin/users?q=p299").await;
        assert!(page.text().contains("p299@example.com"), "{}", page.text());
        let csv = root.get("/admin/users.csv").await;
        assert_eq!(csv.text().lines().count(), 302);
        worker::sweep_all(&app.ctx).await;
    });
}

#[test]
fn each_transaction_has_its_timeouts() {
    run_test(Engine::Postgres, |env| async move {
        let Some((_bouncer, url)) = behind(&env, IGNORED[1]) else { return };
        let direct = env.app().await;
        let pooled = env.app_with(&[("database_url", url.as_str())]).await;
        for app in [&direct, &pooled] {
            for (name, expected) in [("lock_timeout", 5_000), ("statement_timeout", 6_000)] {
                let sql = format!("SELECT setting::bigint FROM pg_settings WHERE name = '{name}'");

                assert_eq!(app.query_number(&sql).await, expected, "{name}");
            }
        }
        let marked = "SELECT COUNT(*) FROM (SELECT current_setting('daemun.is_direct', true) AS it) s \
            WHERE it = 'on'";
        assert_eq!((direct.query_number(marked).await, pooled.query_number(marked).await), (1, 0));
    });
}

#[test]
fn migrations_and_locks_work_behind_it() {
    run_test(Engine::Postgres, |env| async move {
        let Some((bouncer, _)) = behind(&env, IGNORED[0]) else { return };
        let empty = env.empty_database("bounced").await;
        let name = empty.split('/').nth(3).and_then(|rest| rest.split('?').next()).expect("a name");
        let url: daemun::testing::config::DatabaseUrl = bouncer.url(name).parse().expect("a URL");
        let mut nodes = Vec::new();
        for _ in 0..3 {
            nodes.push(daemun::testing::db::Db::open(&url).await.expect("opens"));
        }

        let done = join_all(nodes.iter().map(daemun::testing::db::Db::migrate)).await;

        for outcome in done {
            outcome.expect("migrated");
        }
        for node in nodes {
            assert!(node.is_up_to_date().await.expect("asked"));
            node.close().await;
        }
    });
}

//! One row that the database refuses, and one job of which every batch fails: neither keeps the rest
//! waiting.

use daemun::testing::admin::{Actor, ImportedUser};
use daemun::testing::flows;
use daemun::testing::types::{BulkJobId, UserId};
use daemun::testing::worker;
use sea_orm::DbBackend;

use crate::admin::bulk_jobs::does;
use crate::admin::user_import::uploads;
use crate::support::app::request_info;
use crate::support::{App, Browser, TestEnv, on_both};

/// From now on the database refuses every change of a kind to rows for which a condition holds.
async fn refuses(app: &App, name: &str, what: &str, table: &str, condition: &str) {
    if app.ctx.db.reader().get_database_backend() == DbBackend::Sqlite {
        let trigger = format!(
            "CREATE TRIGGER {name} BEFORE {what} ON {table} WHEN {condition} \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        );
        return app.execute(&trigger).await;
    }
    let function = format!(
        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
    );
    app.execute(&function).await;
    let trigger = format!(
        "CREATE TRIGGER {name} BEFORE {what} ON {table} FOR EACH ROW WHEN ({condition}) \
         EXECUTE FUNCTION {name}()"
    );
    app.execute(&trigger).await;
}

/// Orders accounts for a list; it is done by the worker.
async fn imports(root: &mut Browser<'_>, list: &str) {
    let page = uploads(root, list.as_bytes(), false).await;
    let plan = page.attribute("input[name=plan]", "value").expect("a plan");
    let answer = root.submits("/admin/users/import", &[("plan", &plan)]).await;
    assert_eq!(answer.status(), 303, "{}", answer.text());
}

#[on_both]
async fn a_refused_import_row_is_skipped(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    refuses(&app, "no_bob", "INSERT", "users", "new.email = 'bob@example.com'").await;

    imports(&mut root, "email\nada@example.com\nbob@example.com\neve@example.com\n").await;
    worker::run_bulk_jobs(&app.ctx).await;

    let row = "SELECT done * 1000 + skipped FROM bulk_jobs WHERE state = 'done'";
    assert_eq!(app.query_number(row).await, 2_001);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 3);
    assert_eq!(app.audit_event_count("added_by_staff").await, 2);
}

#[on_both]
async fn an_account_that_cannot_be_changed_is_skipped(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for name in ["ada", "bob", "eve"] {
        app.user(name).await;
    }
    let bob = app.id_of("bob").await;
    refuses(&app, "no_bob", "UPDATE", "users", &format!("old.id = {bob}")).await;
    let ids = [app.id_of("ada").await, bob, app.id_of("eve").await].map(|id| id.to_string());

    let selection: Vec<_> = ids.iter().map(|id| ("id", id.as_str())).collect();
    does(&mut root, "deactivate", &selection).await;
    worker::run_bulk_jobs(&app.ctx).await;

    let row = "SELECT done * 1000 + skipped FROM bulk_jobs WHERE state = 'done'";
    assert_eq!(app.query_number(row).await, 2_001);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users WHERE NOT is_active").await, 2);
    assert_eq!(app.audit_event_count("deactivated").await, 2);
}

#[on_both]
async fn a_failing_job_does_not_block_others(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    imports(&mut root, "email\nada@example.com\n").await;
    let first = app.query_number("SELECT id FROM bulk_jobs").await;
    refuses(&app, "no_first", "UPDATE", "bulk_jobs", &format!("old.id = {first}")).await;
    imports(&mut root, "email\neve@example.com\n").await;

    worker::run_bulk_jobs(&app.ctx).await;

    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM users WHERE email = 'eve@example.com'").await,
        1
    );
    let first = format!("SELECT COUNT(*) FROM bulk_jobs WHERE id = {first} AND state = 'running'");
    assert_eq!(app.query_number(&first).await, 1, "it is tried again");
}

// As a version of the program wrote it that took such hashes.
#[on_both]
async fn a_nul_in_a_stored_hash_stops_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let imported = |name: &str, hash: &str| ImportedUser {
        email: format!("{name}@example.com"),
        language: "en".into(),
        is_active: true,
        password_hash: hash.into(),
        ..ImportedUser::default()
    };
    let users = vec![imported("bob", "pbkdf2_sha256$1$a\0b$x"), imported("eve", "")];
    let whole =
        daemun::testing::accounts::find_by_id(&app.ctx.db, UserId(app.id_of("root").await)).await;
    let by = whole.expect("the database answers").expect("an account").user;
    let actor = Actor { user: &by, info: &request_info() };

    let id: BulkJobId =
        flows::admin::user_import::draft(&app.ctx, actor, users, false).await.expect("planned");
    assert!(flows::admin::user_import::enqueue(&app.ctx, actor, id).await.expect("started"));
    worker::run_bulk_jobs(&app.ctx).await;

    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM users WHERE email = 'eve@example.com'").await,
        1
    );
    assert_eq!(app.query_number("SELECT COUNT(*) FROM bulk_jobs WHERE state = 'done'").await, 1);
    assert!(root.is_signed_in().await);
}

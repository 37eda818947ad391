//! Throwing away: each thing when its time has come and not before, a little at a time.

use std::time::Duration;

use daemun::testing::clock::to_micros;
use daemun::testing::flows;
use daemun::testing::worker;
use futures::future::join_all;

use crate::support::app::email;
use crate::support::{App, GOOD, TestEnv, on_both};

/// Rows of a kind: one batch, another, and a rest.
const ROWS: u64 = 1_100;

const DAY: Duration = Duration::from_hours(24);

const INSTANT: Duration = Duration::from_micros(1);

/// Inserts rows, with their numbers as `i` and the time of the story as `NOW`.
async fn rows(app: &App, count: u64, into: &str, values: &str) {
    let now = to_micros(app.ctx.clock.now()).to_string();
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
    );
    let sql = format!("INSERT INTO {into} {numbers} SELECT {values} FROM n").replace("NOW", &now);
    app.execute(&sql).await;
}

async fn count(app: &App, table: &str) -> u64 {
    let count = app.query_number(&format!("SELECT COUNT(*) FROM {table}")).await;
    count.try_into().expect("a count")
}

/// Rows are still there after so long, and an instant later they go in three batches.
async fn go_after(env: &TestEnv, app: &App, table: &str, time: Duration) {
    env.clock.advance(time);
    assert!(!flows::system::cleanup::sweep(&app.ctx).await.expect("swept"), "nothing is over");
    assert_eq!(count(app, table).await, ROWS, "too early: {table}");
    env.clock.advance(INSTANT);

    let mut left = Vec::new();
    for _ in 0..3 {
        let is_more = flows::system::cleanup::sweep(&app.ctx).await.expect("swept");
        left.push((is_more, count(app, table).await));
    }

    assert_eq!(left, [(true, 600), (true, 100), (false, 0)], "{table}");
}

#[on_both]
async fn expired_rate_limit_rows_are_deleted(env: TestEnv) {
    let app = env.app().await;
    let into = "throttle (id, level, counted_at, open_at, forgotten_at)";
    rows(&app, ROWS, into, "'forgotten' || i, 1, 0, NOW + 1000000, NOW").await;
    go_after(&env, &app, "throttle", Duration::from_secs(1)).await;

    rows(&app, ROWS, into, "'waited' || i, 1, 0, NOW, NOW + 1000000").await;
    go_after(&env, &app, "throttle", Duration::from_secs(1)).await;
}

#[on_both]
async fn ended_sessions_are_deleted_after_thirty_days(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.deletes_sessions().await;
    app.forgets_attempts().await;
    let into = "sessions (id, user_id, created_at, last_seen_at, expires_at, user_agent, ip, \
                auth_method, authenticated_at, current_jti, rotated_at)";
    let values = "'s' || i, 1, 0, 0, NOW, '', '', 'password', 0, '', 0";
    rows(&app, ROWS, into, values).await;
    app.execute("DELETE FROM one_time_links").await;

    go_after(&env, &app, "sessions", 30 * DAY).await;
}

#[on_both]
async fn expired_links_are_deleted(env: TestEnv) {
    let app = env.app().await;
    let into = "one_time_links (id, purpose, created_at, expires_at)";
    rows(&app, ROWS, into, "'t' || i, 'reset_password', NOW, NOW + 3600000000").await;

    go_after(&env, &app, "one_time_links", Duration::from_hours(1)).await;
}

#[on_both]
async fn failed_logins_are_deleted_after_ninety_days(env: TestEnv) {
    let app = env.app().await;
    let into = "audit_events (at, action, ip, user_agent, request_id)";
    rows(&app, ROWS, into, "NOW, 'login_failed', '', '', ''").await;
    rows(&app, 10, into, "NOW, 'login', '', '', ''").await;

    let failures = "audit_events WHERE action = 'login_failed'";
    go_after(&env, &app, failures, 90 * DAY).await;

    assert_eq!(count(&app, "audit_events").await, 10);
}

#[on_both]
async fn sent_emails_are_deleted_after_thirty_days(env: TestEnv) {
    let app = env.app().await;
    let into = "outbox (recipient, language, kind, sealed, created_at, due_at, expires_at, \
                sent_at, failed_at)";
    let sent = "'a@example.com', 'en', 'test', '', NOW, NULL, NOW, NOW, NULL";
    rows(&app, ROWS, into, sent).await;
    go_after(&env, &app, "outbox", 30 * DAY).await;

    let failed = "'a@example.com', 'en', 'test', '', NOW, NULL, NOW, NULL, NOW";
    rows(&app, ROWS, into, failed).await;
    go_after(&env, &app, "outbox", 30 * DAY).await;
}

#[on_both]
async fn expired_emails_are_deleted_after_thirty_days(env: TestEnv) {
    let app = env.app().await;
    let into = "outbox (recipient, language, kind, sealed, created_at, due_at, expires_at)";
    let values = "'a@example.com', 'en', 'carrier_pigeon', 'x', NOW, NOW, NOW + 86400000000";
    rows(&app, ROWS, into, values).await;

    go_after(&env, &app, "outbox", 31 * DAY).await;
}

#[on_both]
async fn email_files_are_deleted_after_thirty_days(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    assert_eq!(app.emails().await.len(), 1);

    env.clock.advance(30 * DAY);
    worker::sweep_all(&app.ctx).await;
    assert_eq!(app.emails().await.len(), 1, "too early");
    env.clock.advance(INSTANT);
    worker::sweep_all(&app.ctx).await;

    assert_eq!(app.emails().await.len(), 0);
}

#[on_both]
async fn an_account_is_deleted_two_weeks_after_the_request(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.user("bob").await;
    let bob = daemun::testing::types::Email::parse(&email("bob")).expect("an address");
    let password = daemun::testing::types::Password::parse(GOOD).expect("typed");
    let info = crate::support::app::request_info();
    let bob = daemun::testing::accounts::find_by_email(&app.ctx.db, &bob).await.expect("answers");
    let bob = bob.expect("an account").user;
    flows::account::account_deletion::schedule(&app.ctx, &bob, Some(password), &info)
        .await
        .expect("asked");

    env.clock.advance(13 * DAY);
    worker::sweep_all(&app.ctx).await;
    assert_eq!(count(&app, "users").await, 2, "too early");
    env.clock.advance(DAY);
    worker::sweep_all(&app.ctx).await;

    assert_eq!(count(&app, "users WHERE email = 'ada@example.com'").await, 1);
    assert_eq!(count(&app, "users").await, 1);
    let emails = app.emails_to(&email("bob")).await;
    let [last] = &emails[..] else { panic!("others are forgotten: {emails:?}") };
    assert!(last.subject.contains("deleted") && last.html.contains("deleted"), "{last:?}");
}

#[on_both]
async fn unverified_accounts_are_kept_unless_configured(env: TestEnv) {
    let (keeps, deletes) =
        (env.app().await, env.app_with(&[("delete_unverified_after", "7d")]).await);
    let into = "users (email, email_canonical, created_at, updated_at)";
    rows(&keeps, 260, into, "'p' || i || '@example.com', 'p' || i || '@example.com', NOW, NOW")
        .await;
    keeps.execute("UPDATE users SET email_verified_at = 0 WHERE id > 250").await;

    env.clock.advance(7 * DAY);
    worker::sweep_all(&deletes.ctx).await;
    assert_eq!(count(&keeps, "users").await, 260, "too early");
    env.clock.advance(INSTANT);
    worker::sweep_all(&keeps.ctx).await;
    assert_eq!(count(&keeps, "users").await, 260, "off unless it is set");
    worker::sweep_all(&deletes.ctx).await;

    assert_eq!(count(&keeps, "users").await, 10);
}

#[on_both]
async fn one_undeletable_account_does_not_block_others(env: TestEnv) {
    let app = env.app().await;
    let into = "users (email, email_canonical, created_at, updated_at, is_superuser, deletes_at)";
    let values = "'p' || i || '@example.com', 'p' || i || '@example.com', 0, 0, i = 1, i";
    rows(&app, 120, into, values).await;

    worker::sweep_all(&app.ctx).await;

    assert_eq!(count(&app, "users").await, 1, "the only superuser stays, and nobody else");
}

#[on_both]
async fn logins_work_during_a_large_clean_up(env: TestEnv) {
    let app = env.app().await;
    let names: Vec<_> = (0..10).map(|number| format!("person{number}")).collect();
    for name in &names {
        app.user(name).await;
    }
    let into = "throttle (id, level, counted_at, open_at, forgotten_at)";
    rows(&app, 5_000, into, "'t' || i, 1, 0, 0, 0").await;
    let into = "one_time_links (id, purpose, created_at, expires_at)";
    rows(&app, 5_000, into, "'t' || i, 'reset_password', 0, 0").await;

    let ctx = app.ctx.clone();
    let sweeping = tokio::spawn(async move { worker::sweep_all(&ctx).await });
    let log_ins = names.iter().map(|name| async {
        let mut browser = app.visitor();
        let mut welcomed = 0;
        while !sweeping.is_finished() || welcomed == 0 {
            browser = app.visitor();
            let page = browser.logs_in(&email(name), GOOD).await;
            assert_eq!(page.status(), 303, "{}", page.text());
            welcomed += 1;
        }
        assert!(browser.is_signed_in().await);
        welcomed
    });
    let welcomed: u32 = join_all(log_ins).await.into_iter().sum();

    assert!(welcomed >= 10, "{welcomed}");
    let left = "one_time_links WHERE purpose = 'reset_password'";
    assert_eq!((count(&app, left).await, count(&app, "throttle WHERE id LIKE 't%'").await), (0, 0));
}

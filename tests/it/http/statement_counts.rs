//! What a page may cost: statements, not seconds.

use std::time::Duration;

use crate::support::{App, Browser, TestEnv, on_both};

async fn cost(app: &App, browser: &mut Browser<'_>, path: &str) -> u64 {
    let before = app.ctx.db.queries();
    browser.get(path).await;
    app.ctx.db.queries() - before
}

#[on_both]
async fn a_cached_signed_in_page_costs_no_statement(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.get("/account/mypage").await;

    for path in [
        "/account/mypage",
        "/",
        "/nowhere",
        "/account/login",
        "/account/profile",
        "/account/sudo?next=/account/export",
        "/account/delete",
        "/account/email/change",
        "/account/password/change",
        "/account/password/reset",
        "/account/join/sent",
    ] {
        assert_eq!(cost(&app, &mut ada, path).await, 0, "{path}");
    }
}

#[on_both]
async fn an_uncached_signed_in_page_costs_one_statement(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    // The providers are read, for whether the menu leads to them, and kept for ten seconds.
    app.visitor().get("/account/login").await;
    env.clock.advance(Duration::from_secs(3));
    assert_eq!(cost(&app, &mut ada, "/account/mypage").await, 1);

    let uncached = env.app_with(&[("session_cache", "0s")]).await;
    uncached.visitor().get("/account/login").await;
    let mut ada = ada.on(&uncached);
    assert_eq!(cost(&uncached, &mut ada, "/account/mypage").await, 1);
    assert_eq!(cost(&uncached, &mut ada, "/account/mypage").await, 1);
}

#[on_both]
async fn an_own_list_costs_one_statement(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.visitor().logs_in("ada@example.com", crate::support::GOOD).await;
    ada.get("/account/mypage").await;

    for path in ["/account/sessions", "/account/activity", "/account/activity?before=2"] {
        assert_eq!(cost(&app, &mut ada, path).await, 1, "{path}");
    }
}

#[on_both]
async fn a_page_reads_each_thing_once(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = app.last_email_to("ada@example.com").await.link("/account/email/verify/");
    ada.get("/account/mypage").await;

    let export = cost(&app, &mut ada, "/account/export").await;
    assert_eq!(
        export, 6,
        "the user, the sessions, the audit log, the e-mails, the identities, the links"
    );
    assert_eq!(cost(&app, &mut ada, &link).await, 1);
    assert_eq!(cost(&app, &mut ada, "/account/link").await, 1);
    env.clock.advance(Duration::from_mins(11));
    ada.get("/account/mypage").await;
    // The new tokens arrive, and that is noted.
    ada.get("/account/mypage").await;
    app.wait_for_confirmed_rotations().await;
    ada.get("/account/mypage").await;
    assert_eq!(cost(&app, &mut ada, "/account/export").await, 1, "a no is asked again");
}

#[on_both]
async fn a_visitor_costs_no_statement_and_leaves_no_row(env: TestEnv) {
    let app = env.app().await;
    app.visitor().get("/account/login").await;
    for path in
        ["/", "/account/join", "/account/login", "/account/mypage", "/nowhere", "/health/live"]
    {
        assert_eq!(cost(&app, &mut app.visitor(), path).await, 0, "{path}");
    }
    for path in [
        "/account/sessions",
        "/account/activity",
        "/account/profile",
        "/account/sudo",
        "/account/delete",
        "/account/export",
        "/account/join/sent",
        "/account/link",
    ] {
        assert_eq!(cost(&app, &mut app.visitor(), path).await, 0, "{path}");
    }
    for table in ["sessions", "throttle", "audit_events", "one_time_links"] {
        assert_eq!(app.query_number(&format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

#[on_both]
async fn active_providers_are_read_every_ten_seconds(env: TestEnv) {
    let app = env.app().await;
    app.visitor().get("/account/login").await;

    env.clock.advance(Duration::from_millis(9_999));
    assert_eq!(cost(&app, &mut app.visitor(), "/account/join").await, 0);
    env.clock.advance(Duration::from_millis(1));
    assert_eq!(cost(&app, &mut app.visitor(), "/account/join").await, 1);
}

#[on_both]
async fn a_refresh_costs_two_statements(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    env.clock.advance(Duration::from_secs(301));
    app.visitor().get("/account/login").await;

    assert_eq!(cost(&app, &mut ada, "/account/mypage").await, 2, "one rotates, one reads");
}

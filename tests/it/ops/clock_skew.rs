//! Nodes whose clocks differ, and clocks that are set back.

use std::time::Duration;

use daemun::testing::clock::Clock;
use rocket::http::Method;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;

use crate::support::exchange::forged;
use crate::support::{App, TestEnv, on_both};

const NOON: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// Two nodes on one database: the first one's clock shows 12:00, the other's is behind by this much.
async fn nodes(env: &TestEnv, behind: Duration) -> (App, App) {
    let ahead = App::open(env.figment(&[]), Clock::standing_at(NOON)).await;
    let late = App::open(env.figment(&[]), Clock::standing_at(NOON - behind)).await;
    (ahead, late)
}

#[on_both]
async fn a_slow_clock_refuses_no_one(env: TestEnv) {
    for (number, behind) in [
        Duration::from_millis(10),
        Duration::from_secs(1),
        Duration::from_secs(59),
        Duration::from_mins(1),
    ]
    .into_iter()
    .enumerate()
    {
        let (ahead, late) = nodes(&env, behind).await;
        let ada = ahead.user(&format!("ada{number}")).await;

        let page = ada.clone().on(&late).get("/account/mypage").await;

        assert_eq!(page.status(), 200, "{behind:?}");
        assert!(page.all("set-cookie").is_empty(), "{behind:?}: nothing had to be renewed");
        let access = ada.cookies["access"].clone();
        let mut program = late.visitor().with("Authorization", &format!("Bearer {access}"));
        assert_eq!(program.get("/api/account/user").await.status(), 200, "{behind:?}");
    }
}

#[on_both]
async fn a_clock_set_back_ends_no_session(env: TestEnv) {
    for (number, behind) in
        [Duration::from_secs(61), Duration::from_hours(1), Duration::from_hours(24 * 3)]
            .into_iter()
            .enumerate()
    {
        let (before, after) = nodes(&env, behind).await;
        let name = format!("ada{number}");
        let mut ada = before.user(&name).await.on(&after);
        let mut program = before.api_user(&format!("bob{number}")).await;
        program.browser = program.browser.on(&after);

        let page = ada.get("/account/mypage").await;

        assert_eq!(page.status(), 200, "{behind:?}: renewed by the refresh token");
        assert!(ada.cookie("access").is_some() && ada.cookie("refresh").is_some());
        assert!(ada.is_signed_in().await);
        assert_eq!(program.refreshes_tokens().await.status(), 200, "{behind:?}");
        assert_eq!(after.audit_event_count("token_reused").await, 0);
    }
}

#[on_both]
async fn a_clock_set_back_revives_no_replaced_token(env: TestEnv) {
    let (before, after) = nodes(&env, Duration::from_hours(1)).await;
    let mut program = before.api_user("ada").await;
    let first = program.refresh.clone();
    assert_eq!(program.refreshes_tokens().await.status(), 200);
    program.uses_access_token().await;
    program.browser = program.browser.on(&after);

    let replayed = program.post("/api/token/refresh", json!({ "refresh": first })).await;

    assert_eq!(replayed.status(), 401);
    assert_eq!(after.audit_event_count("token_reused").await, 1);
}

#[on_both]
async fn a_clock_set_back_extends_no_reauthentication(env: TestEnv) {
    let (before, after) = nodes(&env, Duration::from_hours(1)).await;
    let ada = before.user("ada").await;
    let (ahead, late) = nodes(&env, Duration::from_mins(1)).await;

    let asked = ada.clone().on(&after).get("/account/export").await;

    assert_eq!(asked.location(), Some("/account/sudo?next=%2Faccount%2Fexport"));
    assert_eq!(ada.clone().on(&ahead).get("/account/export").await.status(), 200);
    assert_eq!(ada.on(&late).get("/account/export").await.status(), 200, "clocks differ");
}

#[on_both]
async fn expiry_is_strict(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let access = ada.cookies["access"].clone();
    ada.cookies.clear();
    let mut program = ada.with("Authorization", &format!("Bearer {access}"));

    env.clock.advance(Duration::from_secs(299));
    assert_eq!(program.get("/api/account/user").await.status(), 200);
    env.clock.advance(Duration::from_secs(1));
    assert_eq!(program.get("/api/account/user").await.status(), 401);
}

#[on_both]
async fn an_access_token_from_the_far_future_is_refused(env: TestEnv) {
    let app = env.app().await;
    let ada = app.session_of("ada").await;
    for fault in ["iat", "nbf"] {
        let token = forged(&app, &ada, true, fault);
        let mut program = app.visitor().with("Authorization", &format!("Bearer {token}"));

        assert_eq!(program.get("/api/account/user").await.status(), 401, "{fault}");
    }
}

#[on_both]
async fn cookies_are_removed_only_if_the_session_is_over(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut early = ada.clone();
    early.cookies.remove("refresh");
    let tokens = app.session_of("bob").await;
    early.cookies.insert("access".into(), forged(&app, &tokens, true, "iat"));

    let page = early.get("/").await;

    assert_eq!(page.status(), 200);
    assert!(page.all("set-cookie").iter().all(|set| !set.starts_with("access=")));
    assert!(early.cookie("access").is_some(), "in a moment it is good");
    let mut other = ada.clone();
    ada.logs_out().await;
    other.send(Method::Get, "/", None).await;
    assert!(other.cookie("access").is_none() && other.cookie("refresh").is_none());
}

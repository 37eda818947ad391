//! Giving the password once more, on the way to something dangerous.

use std::time::Duration;

use crate::support::{App, Browser, GOOD, TestEnv, on_both};

const EXPORT: &str = "/account/export";
const SUDO: &str = "/account/sudo";
const ASKED: &str = "/account/sudo?next=%2Faccount%2Fexport";
const MINUTE: Duration = Duration::from_mins(1);

async fn reauthenticates(browser: &mut Browser<'_>) {
    let answer = browser.submits(SUDO, &[("password", GOOD), ("next", EXPORT)]).await;
    assert_eq!(answer.location(), Some(EXPORT), "{}", answer.text());
}

async fn another(app: &App) -> Browser<'_> {
    let mut browser = app.visitor();
    assert_eq!(browser.logs_in("ada@example.com", GOOD).await.status(), 303);
    browser
}

#[on_both]
async fn within_ten_minutes_of_login_nothing_is_asked(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    assert_eq!(ada.get(EXPORT).await.status(), 200);

    env.clock.advance(10 * MINUTE);
    assert_eq!(ada.get(EXPORT).await.status(), 200);

    env.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.get(EXPORT).await.location(), Some(ASKED));
}

#[on_both]
async fn after_ten_minutes_the_password_is_required(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    env.clock.advance(11 * MINUTE);
    assert_eq!(ada.get(EXPORT).await.location(), Some(ASKED));
    let page = ada.get(ASKED).await;
    assert_eq!((page.status(), page.h1().as_str()), (200, "Confirm it's you"));
    let next = page.attribute("input[name=next]", "value").expect("carried along");

    let answer = ada.submits(SUDO, &[("password", GOOD), ("next", &next)]).await;

    assert_eq!(answer.location(), Some(EXPORT));
    assert_eq!(ada.get(EXPORT).await.status(), 200);
    env.clock.advance(10 * MINUTE);
    assert_eq!(ada.get(EXPORT).await.status(), 200);
    env.clock.advance(Duration::from_secs(1));
    assert_eq!(ada.get(EXPORT).await.location(), Some(ASKED));
    assert_eq!(app.audit_event_count("proved_again").await, 1);
}

#[on_both]
async fn a_wrong_password_is_reported_and_not_returned(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    env.clock.advance(11 * MINUTE);

    let page = ada.submits(SUDO, &[("password", "wrong guess"), ("next", EXPORT)]).await;

    assert_eq!(page.status(), 422);
    assert_eq!(page.field("password").errors, ["This password is wrong."]);
    assert_eq!(page.field("password").value, "");
    assert!(page.field("password").is_wrong && !page.text().contains("wrong guess"));
    assert_eq!(page.attribute("input[name=next]", "value").as_deref(), Some(EXPORT));
    assert_eq!(ada.get(EXPORT).await.location(), Some(ASKED));
    let page = ada.submits(SUDO, &[]).await;
    assert_eq!(page.field("password").errors, ["Enter the password."]);
}

#[on_both]
async fn other_sessions_of_the_user_are_not_covered(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut phone = another(&app).await;
    env.clock.advance(11 * MINUTE);

    reauthenticates(&mut ada).await;

    assert_eq!(ada.get(EXPORT).await.status(), 200);
    assert_eq!(phone.get(EXPORT).await.location(), Some(ASKED));
}

#[on_both]
async fn it_counts_on_every_node(env: TestEnv) {
    let app = env.app().await;
    let node = env.app().await;
    let mut ada = app.user("ada").await;
    env.clock.advance(11 * MINUTE);
    assert_eq!(ada.get(EXPORT).await.location(), Some(ASKED));

    reauthenticates(&mut ada).await;

    assert_eq!(ada.clone().on(&node).get(EXPORT).await.status(), 200);
}

#[on_both]
async fn another_node_with_a_cached_session_accepts_it(env: TestEnv) {
    let app = env.app().await;
    let node = env.app().await;
    let mut ada = app.user("ada").await;
    env.clock.advance(11 * MINUTE);
    ada.get("/account/mypage").await;
    assert_eq!(ada.clone().on(&node).get(EXPORT).await.location(), Some(ASKED));

    reauthenticates(&mut ada).await;

    assert_eq!(ada.clone().on(&node).get(EXPORT).await.status(), 200, "nobody is asked twice");
}

#[on_both]
async fn wrong_passwords_count_with_those_at_login(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    // A stolen session without the owner's device.
    let mut thief = ada.clone();
    thief.cookies.remove("device");
    env.clock.advance(11 * MINUTE);
    let mut statuses = Vec::new();
    for place in 0..6 {
        let mut thief = thief.clone().from(&format!("198.51.100.{place}:1"));
        statuses.push(thief.submits(SUDO, &[("password", "wrong guess")]).await.status());
        let mut visitor = app.visitor().from(&format!("198.51.101.{place}:1"));
        statuses.push(visitor.logs_in("ada@example.com", "wrong guess").await.status());
    }

    assert_eq!(statuses, [&[422; 11][..], &[429]].concat());
    let page = thief.submits(SUDO, &[("password", GOOD)]).await;
    assert_eq!((page.status(), page.header("retry-after")), (429, Some("30")));
    let sentence = "Too many attempts. Try again in 30 seconds.";
    assert_eq!(page.summary(), [sentence], "though the password was right");
    assert_eq!(thief.get(EXPORT).await.location(), Some(ASKED));
}

#[on_both]
async fn a_right_password_is_not_a_failure(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for _ in 0..30 {
        reauthenticates(&mut ada).await;
    }
    assert_eq!(app.audit_event_count("proved_again").await, 30);
}

#[on_both]
async fn next_stays_on_the_site(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for next in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "/account/logout",
        "/account/email/verify",
        "/account/login",
        "",
    ] {
        let answer = ada.submits(SUDO, &[("password", GOOD), ("next", next)]).await;
        assert_eq!(answer.location(), Some("/account/mypage"), "{next}");
        let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        let page = ada.get(&format!("{SUDO}?next={encoded}")).await;
        let kept = page.attribute("main input[name=next]", "value").unwrap_or_default();
        assert!(!kept.contains("evil") && !kept.contains("script"), "{kept}");
    }
}

#[on_both]
async fn an_ended_session_cannot_reauthenticate(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;
    let mut copy = ada.clone();
    ada.logs_out().await;

    let answer = copy.post(SUDO, &[("csrf", &token), ("password", GOOD)]).await;

    assert_eq!(answer.location(), Some("/account/login"));
    assert_eq!(app.audit_event_count("proved_again").await, 0);
}

#[on_both]
async fn a_password_changed_meanwhile_does_not_count(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    env.clock.advance(11 * MINUTE);
    let new = "another long sentence";
    let fields = [("old_password", GOOD), ("new_password1", new), ("new_password2", new)];
    assert_eq!(ada.submits("/account/password/change", &fields).await.status(), 303);
    env.clock.advance(11 * MINUTE);

    assert_eq!(ada.submits(SUDO, &[("password", GOOD)]).await.status(), 422);
    assert_eq!(ada.submits(SUDO, &[("password", new)]).await.status(), 303);
}

#[on_both]
async fn bearer_requests_for_the_export_need_it_too(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let bearer = format!("Bearer {}", ada.cookies["access"]);
    let mut program = app.visitor().with("Authorization", &bearer);

    assert_eq!(program.get(EXPORT).await.status(), 200);

    let mut app_of_an_hour = ada.clone();
    env.clock.advance(11 * MINUTE);
    app_of_an_hour.get("/account/mypage").await;
    let bearer = format!("Bearer {}", app_of_an_hour.cookies["access"]);
    let mut program = app.visitor().with("Authorization", &bearer);
    assert_eq!(program.get(EXPORT).await.location(), Some(ASKED));
    let answer = program.post(SUDO, &[("password", GOOD), ("next", EXPORT)]).await;
    assert_eq!(answer.location(), Some(EXPORT));
    assert_eq!(program.get(EXPORT).await.status(), 200);
}

#[on_both]
async fn a_visitor_is_sent_to_login(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();

    let answer = visitor.get(SUDO).await;
    let posted = visitor.submits(SUDO, &[("password", GOOD)]).await;

    assert_eq!(answer.location(), Some("/account/login?next=%2Faccount%2Fsudo"));
    assert!(posted.location().expect("away").starts_with("/account/login"));
}

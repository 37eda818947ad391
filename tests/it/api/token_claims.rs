//! What access tokens say of a user, where the settings ask for it.

use std::time::Duration;

use daemun::testing::crypto::from_base64url;
use serde_json::{Value, json};

use crate::support::{App, Browser, Page, TestEnv, on_both};

/// What a cookie's token says.
fn said(browser: &Browser<'_>, cookie: &str) -> Value {
    let token = browser.cookie(cookie).expect("signed in");
    let claims = token.split('.').nth(1).and_then(from_base64url).expect("base64");
    serde_json::from_slice(&claims).expect("JSON")
}

/// Adds a user to a new group of this name.
async fn joins_group(app: &App, name: &str, group: &str) {
    let group = app.group(group, &[]).await;
    app.adds_to_group(name, group).await;
    app.ctx.cache.invalidate_all();
}

/// The sizes that a configuration of nginx gives a setting, in bytes.
fn kilobytes(configuration: &str, setting: &str) -> Vec<usize> {
    let lines = configuration.lines().map(str::trim).filter(|line| line.starts_with(setting));
    let sizes = lines.map(|line| line.trim_end_matches("k;").rsplit(' ').next().expect("a size"));
    sizes.map(|size| size.parse::<usize>().expect("kilobytes") * 1024).collect()
}

/// How many bytes the head of an answer takes.
fn head(answer: &Page) -> usize {
    answer.headers().iter().map(|(name, value)| name.len() + value.len() + 4).sum()
}

#[on_both]
async fn personal_claims_are_only_added_if_configured(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;

    let claims = said(&ada, "access");

    let claims = claims.as_object().expect("claims");
    let mut names: Vec<_> = claims.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "sid", "sub", "token_type", "user_id"]);
}

#[on_both]
async fn configured_claims_are_added_and_kept_current(env: TestEnv) {
    let app = env.app_with(&[("custom_claims", "email, name, is_staff, groups")]).await;
    let mut ada = app.user("ada").await;
    let first = said(&ada, "access");
    assert_eq!((&first["email"], &first["name"]), (&json!("ada@example.com"), &json!("")));
    assert_eq!((&first["is_staff"], &first["groups"]), (&json!(false), &json!([])));

    app.renames("ada", "Ada \"L\"").await;
    app.sets_roles("ada", true, false).await;
    joins_group(&app, "ada", "편집부").await;
    joins_group(&app, "ada", "Authors, all").await;
    env.clock.advance(Duration::from_mins(6));
    assert!(ada.is_signed_in().await, "renewed on the way");

    for claims in [said(&ada, "access"), {
        ada.logs_in("ada@example.com", crate::support::GOOD).await;
        said(&ada, "access")
    }] {
        assert_eq!((&claims["name"], &claims["is_staff"]), (&json!("Ada \"L\""), &json!(true)));
        assert_eq!(claims["groups"], json!(["Authors, all", "편집부"]));
        assert_eq!(claims["sub"], first["sub"]);
    }
    let refresh = said(&ada, "refresh");
    assert!(refresh["email"].is_null() && refresh["groups"].is_null(), "for Daemun alone");
}

#[on_both]
async fn a_user_in_many_groups_can_still_log_in(env: TestEnv) {
    let app = env.app_with(&[("custom_claims", "email, name, is_staff, groups")]).await;
    let mut ada = app.user("ada").await;
    for number in 0..20 {
        joins_group(&app, "ada", &format!("{number:02}{}", "가".repeat(100))).await;
    }
    let name = "나".repeat(150);
    app.renames("ada", &name).await;

    env.clock.advance(Duration::from_mins(6));
    assert!(ada.is_signed_in().await);

    let length = ada.cookie("access").expect("signed in").len();
    assert!(length < 4000, "browsers drop longer cookies: {length}");
    assert_eq!(said(&ada, "access")["groups"].as_array().map(Vec::len), Some(5));
}

#[on_both]
async fn the_largest_headers_fit_the_example_proxies(env: TestEnv) {
    let settings = [
        ("custom_claims", "email, name, is_staff, groups"),
        ("public_url", "https://a-rather-long-name-of-a-site.accounts.gate.example"),
    ];
    let app = env.app_with(&settings).await;
    let domain = ["b".repeat(60), "c".repeat(60), "d".repeat(60)].join(".");
    let email = format!("{}@{domain}.org", "a".repeat(64));
    app.visitor().signs_up(&email, crate::support::GOOD).await;
    // As those of a real site, and many of them.
    let mut groups = Vec::new();
    for number in 0..40 {
        let group = format!("{number:02} 경기도교육청 산하 학교 교직원 모임 제{number}분과");
        let group = app.group(&group, &[]).await;
        groups.push(group);
    }
    app.sets_groups(&email, &groups).await;
    app.renames(&email, &"𠀀\"\\".repeat(50)).await;
    app.sets_roles(&email, true, false).await;
    let mut ada = app.visitor();

    let answer = ada.logs_in(&email, crate::support::GOOD).await;

    assert_eq!(answer.status(), 303, "{}", answer.text());
    let access = ada.cookie("__Host-access").expect("signed in").to_owned();
    let length = "__Host-access=".len() + access.len();
    assert!((3000..=4096).contains(&length), "browsers drop longer cookies: {length}");
    let nginx = include_str!("../../../examples/nginx.conf");
    let auth = include_str!("../../../examples/forward-auth.nginx.conf");
    assert_eq!(kilobytes(nginx, "proxy_buffer_size").len(), 1);
    let buffer = kilobytes(nginx, "proxy_buffer_size")[0];
    assert!(head(&answer) > 4096 && head(&answer) + 200 < buffer, "{}", head(&answer));
    let asked = kilobytes(auth, "proxy_buffer_size");
    assert_eq!(asked.len(), 3, "each location that asks Daemun");
    env.clock.advance(Duration::from_mins(6));
    let passes = ada.get("/api/forward-auth").await;
    assert_eq!((passes.status(), passes.all("set-cookie").len()), (200, 1), "renewed on the way");
    assert!(head(&passes) > 4096, "{}", head(&passes));
    assert!(asked.iter().all(|buffer| head(&passes) + 200 < *buffer), "{}", head(&passes));
    let cookies: usize = ada.cookies.iter().map(|(name, value)| name.len() + value.len() + 3).sum();
    let line = kilobytes(nginx, "large_client_header_buffers")[0];
    assert!(cookies + 3 * 1024 < line, "with those of a social log-in: {cookies}");
}

#[on_both]
async fn claims_cost_nothing_between_refreshes(env: TestEnv) {
    let app = env.app_with(&[("custom_claims", "email, groups")]).await;
    let mut ada = app.user("ada").await;
    ada.get("/account/mypage").await;
    let before = app.ctx.db.queries();
    ada.get("/account/mypage").await;
    assert_eq!(app.ctx.db.queries() - before, 0);

    env.clock.advance(Duration::from_mins(6));
    // Every page with a menu or a log-in button knows the providers, for ten seconds.
    app.visitor().get("/account/login").await;
    let before = app.ctx.db.queries();
    ada.get("/account/mypage").await;

    assert_eq!(app.ctx.db.queries() - before, 3, "one rotates, one reads, one reads the groups");
}

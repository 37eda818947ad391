//! What access tokens say of a person, where the settings ask for it.

use std::time::Duration;

use daemun::crypto::from_base64url;
use serde_json::{Value, json};

use crate::support::{App, Browser, World};

/// What a cookie's token says.
fn said(browser: &Browser<'_>, cookie: &str) -> Value {
    let token = browser.cookie(cookie).expect("signed in");
    let claims = token.split('.').nth(1).and_then(from_base64url).expect("base64");
    serde_json::from_slice(&claims).expect("JSON")
}

/// Puts somebody into a group of this name.
async fn joins_group(app: &App, name: &str, group: &str) {
    let group = app.group(group, &[]).await;
    let user = app.id_of(name).await;
    let columns = "INSERT INTO group_members (group_id, user_id)";
    app.execute(&format!("{columns} VALUES ({}, {user})", group.0)).await;
    app.ctx.cache.forget_everybody();
}

on_both! {
    async fn nothing_personal_stands_in_a_token_unless_it_is_asked_for(world: World) {
        let app = world.app().await;
        let ada = app.person("ada").await;

        let claims = said(&ada, "access");

        let claims = claims.as_object().expect("claims");
        let mut names: Vec<_> = claims.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "sid", "sub", "token_type", "user_id"]);
    }

    async fn tokens_say_what_the_settings_ask_for_and_stay_true(world: World) {
        let app = world.app_with(&[("custom_claims", "email, name, is_staff, groups")]).await;
        let mut ada = app.person("ada").await;
        let first = said(&ada, "access");
        assert_eq!((&first["email"], &first["name"]), (&json!("ada@example.com"), &json!("")));
        assert_eq!((&first["is_staff"], &first["groups"]), (&json!(false), &json!([])));

        app.execute("UPDATE users SET name = 'Ada \"L\"', is_staff = TRUE").await;
        joins_group(&app, "ada", "편집부").await;
        joins_group(&app, "ada", "Authors, all").await;
        world.clock.advance(Duration::from_mins(6));
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

    async fn somebody_in_very_many_groups_can_still_log_in(world: World) {
        let app = world.app_with(&[("custom_claims", "email, name, is_staff, groups")]).await;
        let mut ada = app.person("ada").await;
        for number in 0..20 {
            joins_group(&app, "ada", &format!("{number:02}{}", "가".repeat(100))).await;
        }
        let name = "나".repeat(150);
        app.execute(&format!("UPDATE users SET name = '{name}'")).await;

        world.clock.advance(Duration::from_mins(6));
        assert!(ada.is_signed_in().await);

        let length = ada.cookie("access").expect("signed in").len();
        assert!(length < 4000, "browsers drop longer cookies: {length}");
        assert_eq!(said(&ada, "access")["groups"].as_array().map(Vec::len), Some(5));
    }

    async fn what_tokens_say_costs_nothing_between_renewals(world: World) {
        let app = world.app_with(&[("custom_claims", "email, groups")]).await;
        let mut ada = app.person("ada").await;
        ada.get("/account/mypage").await;
        let before = app.ctx.db.queries();
        ada.get("/account/mypage").await;
        assert_eq!(app.ctx.db.queries() - before, 0);

        world.clock.advance(Duration::from_mins(6));
        ada.get("/account/mypage").await;

        assert_eq!(app.ctx.db.queries() - before, 3, "one rotates, one reads, one reads the groups");
    }
}

//! What must never be written down.

use serde_json::json;

use crate::support::log_lines::LogLines;
use crate::support::{App, GOOD, NEW, TestEnv, on_both};

/// Goes through every story that has an e-mail, and tells the tokens and passwords that occurred.
async fn follows_every_email(app: &App, email: &str) -> Vec<String> {
    let mut secrets = vec!["marker-new-password by the river".to_owned(), NEW.to_owned()];
    let mut ada = app.visitor();
    let verify = app.last_email_to(email).await.link("/account/email/verify/");
    app.visitor().confirms(&verify).await;
    app.visitor().requests_password_reset(email).await;
    let reset = app.last_email_to(email).await.link("/account/password/reset/");
    ada.get(&reset).await;
    ada.sets_new_password("/account/password/new", "marker").await;
    ada.sets_new_password("/account/password/new", &secrets[0]).await;
    ada.logs_in(email, &secrets[0]).await;
    ada.changes_password("marker-wrong", NEW).await;
    ada.changes_password(&secrets[0], NEW).await;
    let not_me = app.last_email_to(email).await.link("/account/not-me/");
    ada.requests_email_change("marker-new@example.com", NEW).await;
    let confirm = app.last_email_to("marker-new@example.com").await.link("/account/email/change/");
    ada.confirms(&confirm).await;
    let undo = app.last_email_to(email).await.link("/account/email/undo/");
    app.visitor().confirms(&undo).await;
    assert_eq!(app.audit_event_count("email_change_undone").await, 1, "all of it happened");
    let links = [verify, reset, not_me, confirm, undo];
    secrets.extend(links.iter().filter_map(|link| Some(link.rsplit_once('/')?.1.to_owned())));
    secrets
}

/// Goes through the JSON door, well and badly, and tells the tokens that occurred.
async fn goes_by_json(app: &App, email: &str) -> Vec<String> {
    let mut program = app.api_client();
    assert_eq!(program.requests_tokens(email, GOOD).await.status(), 200);
    let mut tokens = vec![program.access.clone(), program.refresh.clone()];
    program.refreshes_tokens().await;
    tokens.extend([program.access.clone(), program.refresh.clone()]);
    let body = json!({ "email": "marker@example.com", "password": "marker-json" });
    for path in ["/api/token", "/api/account/login", "/api/account/join"] {
        program.post(path, body.clone()).await;
    }
    let body = json!({ "refresh": "marker", "token": "marker", "key": "marker", "email": email });
    for path in ["/api/token/refresh", "/api/token/verify", "/api/account/join/verify-email"] {
        program.post(path, body.clone()).await;
    }
    program.with("Authorization", "Bearer marker").get("/api/account/user").await;
    tokens
}

#[on_both]
async fn queued_emails_are_sealed(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let waiting = "SELECT COUNT(*) FROM outbox WHERE sealed LIKE '%link%' OR sealed LIKE '%{%' \
        OR sealed LIKE '%192.0.2.1%' OR length(sealed) < 40";

    assert_eq!(app.query_number("SELECT COUNT(*) FROM outbox").await, 1);
    assert_eq!(app.query_number(waiting).await, 0);

    app.sends_due_emails().await;
    let gone = "SELECT COUNT(*) FROM outbox WHERE sealed = ''";
    assert_eq!(app.query_number(gone).await, 1, "when it is sent, nothing is left of it");
}

#[on_both]
async fn log_lines_hold_no_secret(env: TestEnv) {
    let lines = LogLines::default();
    // The story runs on this thread alone.
    let _listening = lines.listens();
    let app = env.app().await;
    let mut ada = app.user("marker-ada").await;
    let mut tokens = ada.cookies.values().cloned().collect::<Vec<_>>();
    tokens.push(ada.token().await);
    env.clock.advance(std::time::Duration::from_mins(10));
    ada.get("/account/mypage").await;
    tokens.extend(ada.cookies.values().cloned());
    app.visitor().logs_in("marker-ada@example.com", "marker-wrong-password").await;
    app.visitor().with("Authorization", "Bearer marker-bearer").get("/account/mypage").await;
    app.visitor().with("User-Agent", "marker\nforged line").signs_up("x", "marker-weak").await;
    ada.logs_out().await;
    tokens.extend(follows_every_email(&app, "marker-ada@example.com").await);
    app.visitor().signs_up("marker-eve@example.com", GOOD).await;
    tokens.extend(goes_by_json(&app, "marker-eve@example.com").await);

    let said = lines.taken();

    assert!(said.contains("signed up") && said.contains("logged out"), "{said}");
    for secret in tokens.iter().map(String::as_str).chain(["marker", GOOD, "example.com"]) {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}

#[on_both]
async fn the_database_holds_no_plain_secret(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.logs_in("ada@example.com", GOOD).await;
    let mut secrets: Vec<_> = ada.cookies.values().cloned().chain([GOOD.to_owned()]).collect();
    secrets.extend(follows_every_email(&app, "ada@example.com").await);
    let columns = [
        ("users", "password_hash"),
        ("sessions", "id || current_jti || user_agent"),
        ("signing_keys", "sealed"),
        ("audit_events", "details || user_agent"),
        ("one_time_links", "id"),
        ("outbox", "sealed || last_error"),
        ("throttle", "id"),
    ];
    for (table, column) in columns {
        for secret in &secrets {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%{secret}%'");
            assert_eq!(app.query_number(&sql).await, 0, "{table}");
        }
    }
    let sealed =
        "SELECT COUNT(*) FROM signing_keys WHERE sealed LIKE '%BEGIN%' OR sealed LIKE 'MIG%'";
    assert_eq!(app.query_number(sealed).await, 0);
}

#[on_both]
async fn tokens_in_urls_are_sent_to_no_one(env: TestEnv) {
    let app = env.app().await;
    let token = daemun::testing::flows::admin::setup::create_link(&app.ctx)
        .await
        .expect("answers")
        .expect("invited");

    let mut visitor = app.visitor();
    let answer = visitor.get(&format!("/admin/setup/{}", token.expose())).await;
    assert_eq!(answer.location(), Some("/admin/setup"), "out of the address first");
    let page = visitor.get("/admin/setup").await;
    assert!(!page.text().contains(token.expose()));

    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert!(page.texts("[src^='http'], [href^='http'], [src^='//'], [href^='//']").is_empty());
    assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
}

#[test]
fn debug_output_shows_no_secret() {
    let secret = daemun::testing::types::Secret::new("marker".into());
    let hash = daemun::testing::crypto::hash_secret(&secret);
    let password = daemun::testing::types::Password::parse("marker").expect("typed");
    let master = daemun::testing::crypto::SecretKey::parse(&"ab".repeat(32)).expect("a key");
    let keys = daemun::testing::crypto::DerivedKeys::derive(&master);
    let email = daemun::testing::types::Email::parse("marker@example.com").expect("an address");

    let shown = format!("{secret:?} {hash:?} {password:?} {master:?} {keys:?} {email:?}");

    assert!(!shown.contains("marker") && !shown.contains("abab"), "{shown}");
    assert!(!shown.contains(hash.as_str()));
}

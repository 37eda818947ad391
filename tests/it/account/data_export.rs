//! Everything that is stored about a user, for that user.

use serde_json::Value;

use crate::support::{App, Browser, GOOD, Page, TestEnv, on_both};

const EXPORT: &str = "/account/export";

fn read(page: &Page) -> Value {
    assert_eq!(page.status(), 200, "{}", page.text());
    serde_json::from_slice(page.bytes()).expect("a JSON document")
}

async fn exports(browser: &mut Browser<'_>) -> Value {
    read(&browser.get(EXPORT).await)
}

/// Everything in the database that opens something.
async fn secrets(app: &App) -> Vec<String> {
    let mut secrets = Vec::new();
    for sql in [
        "SELECT password_hash FROM users WHERE id = 1",
        "SELECT MIN(current_jti) FROM sessions",
        "SELECT MAX(current_jti) FROM sessions",
        "SELECT MAX(previous_jti) FROM sessions",
        "SELECT MIN(id) FROM one_time_links",
        "SELECT MAX(id) FROM one_time_links",
        "SELECT MAX(id) FROM throttle",
    ] {
        secrets.push(app.query_text(sql).await);
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

#[on_both]
async fn the_file_holds_everything_about_the_user(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let fields =
        [("name", "에이다 \"A\" </script>"), ("gender", "female"), ("date_of_birth", "1985-12-10")];
    ada.submits("/account/profile", &fields).await;
    app.visitor().with("User-Agent", "Phone/1").logs_in("ada@example.com", GOOD).await;

    let page = ada.get(EXPORT).await;

    let all = read(&page);
    assert_eq!(page.header("content-type"), Some("application/json"));
    let name = "attachment; filename=\"daemun-export.json\"";
    assert_eq!(page.header("content-disposition"), Some(name));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(all["exported_at"], "2026-03-01T12:00:00Z");
    let account = &all["account"];
    assert_eq!(account["id"], 1);
    assert_eq!(account["email"], "ada@example.com");
    assert_eq!(account["email_verified_at"], Value::Null);
    assert_eq!(account["name"], fields[0].1);
    assert_eq!(account["gender"], "female");
    assert_eq!(account["date_of_birth"], "1985-12-10");
    assert_eq!(account["language"], "en");
    assert_eq!(account["has_password"], true);
    assert_eq!(account["created_at"], "2026-03-01T12:00:00Z");
    assert_eq!(account["last_login_at"], "2026-03-01T12:00:00Z");
    let devices = all["sessions"].as_array().expect("a list");
    assert_eq!(devices.len(), 2);
    assert!(devices.iter().any(|it| it["user_agent"] == "Phone/1" && it["ip"] == "192.0.2.1"));
    let actions = all["activity"].as_array().expect("a list");
    let named = |name: &str| actions.iter().filter(|it| it["action"] == name).count();
    assert_eq!((named("signup"), named("login"), named("profile_changed")), (1, 2, 1));
    let emails = all["letters"].as_array().expect("a list");
    let kinds: Vec<_> = emails.iter().map(|it| it["kind"].as_str()).collect();
    assert_eq!(kinds, [Some("new_device"), Some("verify_email")]);
    assert_eq!(emails[0]["recipient"], "ada@example.com");
    let links = all["links"].as_array().expect("a list");
    let mut purposes: Vec<_> = links.iter().map(|it| it["purpose"].as_str()).collect();
    purposes.sort_unstable();
    assert_eq!(purposes, [Some("not_me"), Some("not_me"), Some("verify_email")]);
}

#[on_both]
async fn ended_sessions_are_included(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await.logs_out().await;
    let mut ada = app.visitor();
    ada.logs_in("ada@example.com", GOOD).await;

    let all = exports(&mut ada).await;

    let sessions = all["sessions"].as_array().expect("a list");
    let over: Vec<_> = sessions.iter().filter(|it| !it["ended_at"].is_null()).collect();
    assert_eq!((sessions.len(), over.len()), (2, 1));
    assert_eq!(over[0]["ended_because"], "logged_out");
}

#[on_both]
async fn the_file_holds_no_credentials(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.visitor().logs_in("ada@example.com", GOOD).await;
    app.visitor().submits("/account/password/reset", &[("email", "ada@example.com")]).await;
    let emails = app.emails().await;
    env.clock.advance(std::time::Duration::from_secs(301));
    ada.get("/account/mypage").await;

    let text = ada.get(EXPORT).await.text();

    for secret in secrets(&app).await.iter().chain(ada.cookies.values()) {
        assert!(!text.contains(secret.as_str()), "{secret} in {text}");
    }
    for email in emails {
        for word in email.text.split_whitespace().filter(|word| word.starts_with("http")) {
            let token = word.rsplit('/').next().expect("a token");
            assert!(token.len() < 20 || !text.contains(token), "{token}");
        }
    }
    for word in ["$argon2", "jti", "hash\"", "token\""] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[on_both]
async fn data_of_other_users_is_left_out(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut eve = app.user("eve").await;
    app.visitor().logs_in("ada@example.com", "wrong guess").await;

    for path in [EXPORT, "/account/export?id=1", "/account/export?user=1&user_id=1"] {
        let page = eve.get(path).await;
        assert!(!page.text().contains("ada@"), "{}", page.text());
        assert_eq!(read(&page)["account"]["email"], "eve@example.com");
        assert_eq!(read(&page)["sessions"].as_array().map(Vec::len), Some(1));
    }
}

#[on_both]
async fn a_visitor_is_sent_to_login(env: TestEnv) {
    let app = env.app().await;

    let answer = app.visitor().get(EXPORT).await;

    assert_eq!(answer.location(), Some("/account/login?next=%2Faccount%2Fexport"));
    let mut forged = app.visitor().with("Authorization", "Bearer rubbish");
    assert_eq!(forged.get(EXPORT).await.status(), 303);
}

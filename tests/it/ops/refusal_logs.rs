//! What the log says of requests that are refused: one line each, with the number that the answer has.

use rocket::http::{ContentType, Method};
use serde_json::json;

use crate::support::log_lines::LogLines;
use crate::support::{ApiClient, App, GOOD, Page, TestEnv, on_both};

/// The lines since the last time, as objects.
fn objects(lines: &LogLines) -> Vec<serde_json::Value> {
    let text = lines.taken();
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// Looks at the one line about a refused request.
fn is_logged(lines: &LogLines, page: &Page, (status, reason): (u16, &str), what: &str) {
    assert_eq!(page.status(), status, "{what}: {}", page.text());
    let said = objects(lines);
    assert_eq!(said.len(), 1, "{what}: {said:#?}");
    let id = page.header("x-request-id").expect("every answer has one");
    assert_eq!(said[0]["request.id"], id, "{what}: {said:#?}");
    assert_eq!(said[0]["message"], "request refused", "{what}");
    assert_eq!(said[0]["http.status"], status, "{what}");
    assert_eq!(said[0]["refusal.reason"], reason, "{what}");
    let text = said[0].to_string();
    for secret in ["marker", "example.com", "192.0.2", GOOD] {
        assert!(!text.contains(secret), "{what}: {secret} in {text}");
    }
}

async fn guesses_by_json(app: &App, path: &str) -> Page {
    let body = json!({ "email": "ada@example.com", "password": "marker guess" });
    app.api_client().post(path, body).await.page
}

#[on_both]
async fn every_refused_request_logs_one_line(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;
    let lines = LogLines::default();
    let _listening = lines.listens_for_objects();

    let page = app.visitor().with("Host", "marker.example").get("/account/login").await;
    is_logged(&lines, &page, (421, "foreign_host"), "a foreign host");
    let page = app.visitor().with("Host", "localhost").with("Host", "localhost").get("/").await;
    is_logged(&lines, &page, (400, "repeated_header"), "two hosts");
    let mut elsewhere = ada.clone().with("Origin", "https://marker.example");
    let page = elsewhere.post("/account/logout", &[("csrf", &token)]).await;
    is_logged(&lines, &page, (403, "foreign_origin"), "a foreign origin");
    let page = ada.post("/account/logout", &[("_method", "delete")]).await;
    is_logged(&lines, &page, (403, "method_override"), "a method override");
    let page = ada.post("/account/email/verify", &[("csrf", "marker")]).await;
    is_logged(&lines, &page, (403, "form_token"), "no token of ours");
    let page = app.visitor().post("/account/not-me/marker", &[]).await;
    is_logged(&lines, &page, (403, "no_cookies"), "no cookies");
    let page = ada.get("/admin").await;
    is_logged(&lines, &page, (403, "permission_denied"), "a page for staff");
    let page = ApiClient::new(ada.clone()).post("/api/users", json!({})).await.page;
    is_logged(&lines, &page, (403, "permission_denied"), "a place for staff");
    let body = Some((ContentType::JSON, b"{}".to_vec()));
    let page = elsewhere.send(Method::Post, "/api/token", body).await;
    is_logged(&lines, &page, (403, "foreign_origin"), "a foreign origin of the JSON API");
    let mut bearing = app.visitor().with("Authorization", "Bearer marker");
    for path in ["/api/account/user", "/api/forward-auth"] {
        is_logged(&lines, &bearing.get(path).await, (401, "token_not_valid"), path);
    }
    let page =
        app.api_client().post("/api/token/refresh", json!({ "refresh": "marker" })).await.page;
    is_logged(&lines, &page, (401, "token_not_valid"), "no refresh token");
}

#[on_both]
async fn a_wrong_password_logs_one_line(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let lines = LogLines::default();
    let _listening = lines.listens_for_objects();

    let mut visitor = app.visitor();
    visitor.get("/").await;
    for page in [
        visitor.logs_in("ada@example.com", "marker guess").await,
        visitor.logs_in("nobody@example.com", "marker guess").await,
        guesses_by_json(&app, "/api/token").await,
        guesses_by_json(&app, "/api/account/login").await,
    ] {
        assert!([422, 400, 401].contains(&page.status()), "{}", page.status());
    }

    let said = objects(&lines);
    assert_eq!(said.len(), 4, "{said:#?}");
    assert!(said.iter().all(|it| it["message"] == "password refused: wrong credentials"));
    assert!(said.iter().all(|it| it["request.id"].is_string()));
}

#[on_both]
async fn every_rate_limited_attempt_logs_one_line(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for _ in 0..11 {
        app.visitor().logs_in("ada@example.com", "marker guess").await;
    }
    let mut visitor = app.visitor();
    visitor.get("/").await;
    let lines = LogLines::default();
    let _listening = lines.listens_for_objects();

    let page = visitor.logs_in("ada@example.com", "marker guess").await;
    is_logged(&lines, &page, (429, "throttled"), "the log-in page");
    let page = guesses_by_json(&app, "/api/token").await;
    is_logged(&lines, &page, (429, "throttled"), "the JSON API");
}

#[on_both]
async fn successful_requests_log_no_refusal(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let lines = LogLines::default();
    let _listening = lines.listens_for_objects();

    for path in ["/", "/nowhere", "/account/mypage", "/account/link"] {
        ada.get(path).await;
        app.visitor().get(path).await;
    }
    for path in ["/api/account/user", "/api/forward-auth"] {
        assert_eq!(app.visitor().get(path).await.status(), 401, "strangers are no news");
    }
    app.visitor().submits("/account/login", &[("email", "x")]).await;

    assert!(objects(&lines).is_empty());
}

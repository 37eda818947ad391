//! Requests that no honest program sends: too large, foreign, garbled.

use rocket::http::{ContentType, Method};
use serde_json::json;

use crate::support::{ApiClient, App, GOOD, NEW, TestEnv, on_both};

/// Every place that takes a body.
const PLACES: [(Method, &str); 22] = [
    (Method::Post, "/api/token"),
    (Method::Post, "/api/token/refresh"),
    (Method::Post, "/api/token/verify"),
    (Method::Post, "/api/token/blacklist"),
    (Method::Post, "/api/account/join"),
    (Method::Post, "/api/account/login"),
    (Method::Post, "/api/account/logout"),
    (Method::Post, "/api/account/token/refresh"),
    (Method::Post, "/api/account/token/verify"),
    (Method::Post, "/api/account/password/reset"),
    (Method::Post, "/api/account/password/reset/confirm"),
    (Method::Post, "/api/account/join/verify-email"),
    (Method::Post, "/api/account/join/resend-email"),
    (Method::Post, "/api/account/registration"),
    (Method::Post, "/api/account/registration/verify-email"),
    (Method::Post, "/api/account/registration/resend-email"),
    (Method::Post, "/api/account/social/id/connect"),
    (Method::Post, "/api/account/social/1/disconnect"),
    (Method::Patch, "/api/account/user"),
    (Method::Post, "/api/users"),
    (Method::Patch, "/api/users/1"),
    (Method::Put, "/api/users/1"),
];

async fn knocks(
    program: &ApiClient<'_>,
    (method, path): (Method, &str),
    kind: ContentType,
    body: &[u8],
) -> (u16, String) {
    let reply = program.clone().send(method, path, Some((kind, body.to_vec()))).await;
    let code = reply.json["code"].as_str().unwrap_or_default().to_owned();
    (reply.status(), code)
}

/// A signed-in user at a browser.
async fn ada(app: &App) -> ApiClient<'_> {
    ApiClient::new(app.user("ada").await)
}

#[on_both]
async fn every_route_takes_one_small_json_object(env: TestEnv) {
    let app = env.app().await;
    let ada = ada(&app).await;
    let before = app.row_counts().await;
    let large = format!(r#"{{"email":"{}"}}"#, "a".repeat(16 * 1024)).into_bytes();
    let deep = [b"{\"a\":".repeat(2000), b"1".to_vec(), b"}".repeat(2000)].concat();
    for place in PLACES {
        for kind in [ContentType::Plain, ContentType::XML, ContentType::GIF] {
            let answer = knocks(&ada, place, kind, b"{\"email\":\"a\"}").await;
            assert_eq!(answer, (415, "unsupported_media_type".into()), "{place:?}");
        }
        for kind in [ContentType::Form, ContentType::FormData] {
            let answer = knocks(&ada, place, kind, b"email=a").await;
            assert_eq!(answer, (403, "csrf_failed".into()), "{place:?} with cookies");
        }
        let answer = knocks(&ada, place, ContentType::JSON, &large).await;
        assert_eq!(answer, (413, "request_too_large".into()), "{place:?}");
        for garbled in [
            &b"{"[..],
            b"\xff\xfe",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":1e999}",
            b"nul",
            b"{\"email\":\"a\",\"email\":\"b\"}",
            b"{\"a\":[{\"b\":1,\"c\":2,\"\\u0062\":1}]}",
            &deep,
        ] {
            let answer = knocks(&ada, place, ContentType::JSON, garbled).await;
            assert_eq!(answer, (400, "parse_error".into()), "{place:?}");
        }
        for other in [&b"[]"[..], b"null", b"\"x\"", b"1", b"1.5", b"true"] {
            assert_eq!(knocks(&ada, place, ContentType::JSON, other).await.0, 400, "{place:?}");
        }
    }
    assert_eq!(app.row_counts().await, before);
}

#[on_both]
async fn a_body_needs_a_content_type_and_may_be_missing(env: TestEnv) {
    let app = env.app().await;
    let client = &app.client;

    let bare = client.post("/api/token").body("{}").dispatch().await;
    let none = client.post("/api/token").dispatch().await;

    assert_eq!((bare.status().code, none.status().code), (415, 400));
    let charset = ContentType::new("application", "json").with_params(("charset", "utf-8"));
    let answer = knocks(&app.api_client(), PLACES[0], charset, b"{}").await;
    assert_eq!(answer.0, 400, "a parameter is no other kind");
}

#[on_both]
async fn fields_of_the_wrong_type_are_named(env: TestEnv) {
    let app = env.app().await;
    for (value, why) in [
        (json!(true), "Not a valid string."),
        (json!([]), "Not a valid string."),
        (json!({}), "Not a valid string."),
        (json!(1.5), "Not a valid string."),
        (json!(null), "This field may not be null."),
        (json!("a\0b"), "Null characters are not allowed."),
    ] {
        let body = json!({ "email": value, "password": value });
        for path in ["/api/token", "/api/account/login"] {
            let reply = app.api_client().post(path, body.clone()).await;
            assert_eq!(reply.json, json!({ "email": [why], "password": [why] }), "{path}");
        }
    }
}

#[on_both]
async fn requests_from_other_sites_are_refused(env: TestEnv) {
    let app = env.app().await;
    let ada = ada(&app).await;
    let before = app.row_counts().await;
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let foreign = ada.clone().with(name, value);
        for place in PLACES {
            let answer = knocks(&foreign, place, ContentType::JSON, b"{}").await;
            assert_eq!(answer, (403, "csrf_failed".into()), "{place:?} {name}: {value}");
        }
    }
    assert_eq!(app.row_counts().await, before);
    assert_eq!(app.active_session_count().await, 1, "nobody was logged out");
}

#[on_both]
async fn duplicate_keys_are_refused(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let body =
        format!(r#"{{"email":"eve@example.com","password":"{GOOD}","email":"ada@example.com"}}"#);

    let kind = ContentType::JSON;
    let reply =
        app.api_client().send(Method::Post, "/api/token", Some((kind, body.into_bytes()))).await;

    assert_eq!((reply.status(), reply.code()), (400, "parse_error"));
    assert_eq!(reply.text("detail"), "JSON parse error - \"email\" is given twice.");
}

#[on_both]
async fn an_expired_token_is_refused_from_other_sites_too(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await.with_bearer().with("Origin", "https://app.example");
    let browser = ApiClient::new(app.user("eve").await);
    env.clock.advance(std::time::Duration::from_mins(6));
    let before = app.row_counts().await;

    let reply = program.patch("/api/account/user", json!({ "name": "Ada" })).await;
    assert_eq!((reply.status(), reply.code()), (401, "token_not_valid"));

    let junk = browser.with("Authorization", "Bearer x").with("Origin", "null");
    for place in PLACES {
        let answer = knocks(&junk, place, ContentType::JSON, b"{}").await;
        assert_eq!(answer, (403, "csrf_failed".into()), "{place:?}");
    }
    assert_eq!(app.row_counts().await, before);
}

#[on_both]
async fn requests_with_a_token_may_come_from_any_site(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await.with_bearer().with("Origin", "https://app.example");

    let reply = program.patch("/api/account/user", json!({ "name": "Ada" })).await;

    assert_eq!((reply.status(), reply.text("name")), (200, "Ada"));
}

#[on_both]
async fn a_foreign_host_is_refused_in_json(env: TestEnv) {
    let app = env.app().await;

    let reply = app.api_client().with("Host", "evil.example").get("/api/account/user").await;

    assert_eq!((reply.status(), reply.code()), (421, "misdirected_request"));
}

#[on_both]
async fn a_wrong_method_is_405_and_names_the_right_ones(env: TestEnv) {
    let app = env.app().await;
    for (method, path, allow) in [
        (Method::Get, "/api/token", "POST"),
        (Method::Delete, "/api/account/user", "GET, HEAD, PATCH, PUT"),
        (Method::Post, "/api/account/mypage", "GET, HEAD"),
        (Method::Put, "/api/account/logout/", "POST"),
    ] {
        let reply = app.api_client().send(method, path, None).await;
        assert_eq!((reply.status(), reply.code()), (405, "method_not_allowed"), "{path}");
        assert_eq!(reply.page.header("allow"), Some(allow), "{path}");
    }
}

#[on_both]
async fn an_error_is_json_whatever_the_accept_header(env: TestEnv) {
    let app = env.app().await;
    let mut browser = app.api_client().with("Accept", "text/html");

    for path in ["/api/account/mypage", "/api/nothing", "/api/~refused"] {
        let reply = browser.get(path).await;
        assert!([401, 404].contains(&reply.status()), "{path}");
    }
}

#[on_both]
async fn a_password_is_not_trimmed(env: TestEnv) {
    let app = env.app().await;
    let spaced = format!(" {NEW} ");
    let body = json!({ "email": "ada@example.com", "password1": spaced, "password2": spaced });
    assert_eq!(app.api_client().post("/api/account/join", body).await.status(), 201);
    let mut program = app.api_client();

    assert_eq!(program.requests_tokens("ada@example.com", NEW).await.status(), 401);
    assert_eq!(program.requests_tokens("ada@example.com", &spaced).await.status(), 200);
}

#[on_both]
async fn numbers_are_read_by_their_digits(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let body = json!({ "email": "ada@example.com", "password": 12_345 });

    let reply = app.api_client().post("/api/token", body).await;

    assert_eq!((reply.status(), reply.code()), (401, "no_active_account"), "a wrong password");
    assert_eq!(app.api_client().requests_tokens("ada@example.com", GOOD).await.status(), 200);
}

//! Pages of other origins and clients that know this server under another name.

use rocket::http::{ContentType, Method};
use serde_json::json;

use crate::support::{ApiClient, ApiReply, App, GOOD, TestEnv, on_both};

/// Of the same site as `http://localhost:8000`, where the tests' server is.
const SAME_SITE: &str = "http://localhost:3000";
const CROSS_SITE: &str = "https://app.example.com";
const UNLISTED: &str = "https://evil.example";

async fn app_with_origins(env: &TestEnv) -> App {
    let app = env
        .app_with(&[(
            "allowed_origins",
            "http://localhost:3000, https://app.example.com, capacitor://localhost",
        )])
        .await;
    app.user("ada").await;
    app
}

fn from<'a>(app: &'a App, origin: &str) -> ApiClient<'a> {
    app.api_client().with("Origin", origin).with("Sec-Fetch-Site", "cross-site")
}

fn header<'r>(reply: &'r ApiReply, name: &str) -> Option<&'r str> {
    reply.page.header(name)
}

fn credentials() -> serde_json::Value {
    json!({ "email": "ada@example.com", "password": GOOD })
}

#[on_both]
async fn a_preflight_says_what_a_listed_origin_may_send(env: TestEnv) {
    let app = app_with_origins(&env).await;
    for (origin, may_send_cookies) in
        [(SAME_SITE, Some("true")), (CROSS_SITE, None), ("capacitor://localhost", None)]
    {
        let mut client = from(&app, origin)
            .with("Access-Control-Request-Method", "PATCH")
            .with("Access-Control-Request-Headers", "authorization, content-type");

        let reply = client.send(Method::Options, "/api/account/user", None).await;

        assert_eq!(reply.status(), 204, "{origin}");
        for (name, value) in [
            ("access-control-allow-origin", Some(origin)),
            ("access-control-allow-credentials", may_send_cookies),
            ("access-control-allow-methods", Some("GET, HEAD, OPTIONS, PATCH, PUT")),
            ("access-control-max-age", Some("7200")),
            ("vary", Some("Origin")),
        ] {
            assert_eq!(header(&reply, name), value, "{origin}: {name}");
        }
        let headers = header(&reply, "access-control-allow-headers").expect("headers");
        assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{headers}");
    }
}

#[on_both]
async fn an_unlisted_origin_reads_nothing_but_public_documents(env: TestEnv) {
    let app = app_with_origins(&env).await;
    for origin in [UNLISTED, "null"] {
        let mut client = from(&app, origin);
        for path in ["/api/account/user", "/api/token", "/api/nothing", "/api/users"] {
            for method in [Method::Get, Method::Options] {
                let reply = client.send(method, path, None).await;
                let all = reply
                    .page
                    .headers()
                    .into_iter()
                    .filter(|(name, _)| name.starts_with("access-control"));
                assert_eq!(all.count(), 0, "{method} {path}");
            }
        }
        for path in [
            "/.well-known/jwks.json",
            "/.well-known/oauth-authorization-server",
            "/api/openapi.json",
        ] {
            let reply = client.get(path).await;
            assert_eq!(header(&reply, "access-control-allow-origin"), Some("*"), "{path}");
            assert_eq!(header(&reply, "access-control-allow-credentials"), None, "{path}");
        }
    }
}

#[on_both]
async fn pages_are_shared_with_no_origin(env: TestEnv) {
    let app = app_with_origins(&env).await;
    for path in ["/", "/account/mypage", "/account/login"] {
        let page = app.visitor().with("Origin", SAME_SITE).get(path).await;
        assert_eq!(page.header("access-control-allow-origin"), None, "{path}");
    }
}

#[on_both]
async fn errors_can_be_read_too(env: TestEnv) {
    let app = app_with_origins(&env).await;
    let mut client = from(&app, CROSS_SITE);
    let unauthorized = client.get("/api/account/user").await;
    let unknown = client.get("/api/nothing").await;
    let wrong = client.post("/api/token", json!({})).await;
    let plain = (ContentType::Plain, b"x".to_vec());
    let unread = client.send(Method::Post, "/api/token", Some(plain)).await;
    let refused = client.post("/api/account/login", credentials()).await;
    for (reply, status) in
        [(unauthorized, 401), (unknown, 404), (wrong, 400), (unread, 415), (refused, 403)]
    {
        assert_eq!(reply.status(), status);
        assert_eq!(header(&reply, "access-control-allow-origin"), Some(CROSS_SITE), "{status}");
        let exposed = header(&reply, "access-control-expose-headers");
        assert_eq!(exposed, Some("Retry-After, X-Request-Id"), "{status}");
    }
}

#[on_both]
async fn a_same_site_origin_logs_in_with_cookies(env: TestEnv) {
    let app = app_with_origins(&env).await;
    let mut client = from(&app, SAME_SITE);

    let reply = client.post("/api/account/login", credentials()).await;

    assert_eq!(reply.status(), 200);
    assert_eq!(reply.cookies(), "access device refresh -visitor");
    let renamed = client.patch("/api/account/user", json!({ "name": "Ada" })).await;
    assert_eq!(renamed.status(), 200);
    let form = app.visitor().with("Origin", SAME_SITE).post("/account/logout", &[]).await;
    assert_eq!(form.status(), 403, "pages are for our own forms");
}

#[on_both]
async fn a_cross_site_origin_uses_tokens_and_no_cookies(env: TestEnv) {
    let app = app_with_origins(&env).await;
    let mut client = from(&app, CROSS_SITE);
    for path in [
        "/api/account/login",
        "/api/account/login/",
        "/api/account/%6Cogin",
        "/api/account/join",
        "/api/account/registration",
        "/api/account/registration/",
        "/api/account/logout",
        "/api/account/token/refresh",
        "/api/account/social/kakao",
        "/api/account/social/kakao/",
    ] {
        let reply = client.post(path, credentials()).await;
        assert_eq!((reply.status(), reply.code()), (403, "csrf_failed"), "{path}");
    }
    let reply = client.requests_tokens("ada@example.com", GOOD).await;
    assert_eq!((reply.status(), reply.cookies().as_str()), (200, ""));
    let reset = json!({ "email": "ada@example.com" });
    assert_eq!(client.post("/api/account/password/reset", reset).await.status(), 200);

    let mut client = client.with_bearer();
    for path in ["/api/account/social/none/connect", "/api/account/social/1/disconnect"] {
        let reply = client.post(path, json!({ "access_token": "x" })).await;
        assert_eq!(reply.status(), 404, "{path} sets no cookie");
    }
    let renamed = client.patch("/api/account/user", json!({ "name": "Ada" })).await;
    assert_eq!(renamed.status(), 200);

    let with_cookies = ApiClient::new(app.user("eve").await).with("Origin", CROSS_SITE);
    let reply = with_cookies.clone().patch("/api/account/user", json!({ "name": "Eve" })).await;
    assert_eq!((reply.status(), reply.code()), (403, "csrf_failed"));
}

#[on_both]
async fn a_foreign_origin_gets_tokens_unless_it_sends_cookies(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut client = from(&app, "http://localhost:5173");

    let reply = client.requests_tokens("ada@example.com", GOOD).await;

    assert_eq!((reply.status(), reply.cookies().as_str()), (200, ""));
    assert_eq!(header(&reply, "access-control-allow-origin"), None);
    assert_eq!(client.refreshes_tokens().await.status(), 200);
    let with_cookies = ApiClient::new(app.user("eve").await).with("Origin", UNLISTED);
    let reply = with_cookies.clone().post("/api/token", credentials()).await;
    assert_eq!((reply.status(), reply.code()), (403, "csrf_failed"));
}

#[on_both]
async fn options_names_the_methods_of_a_path(env: TestEnv) {
    let app = env.app().await;
    for (path, allow) in [
        ("/api/token", "OPTIONS, POST"),
        ("/api/account/user", "GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/api/users/7", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/.well-known/jwks.json", "GET, HEAD, OPTIONS"),
        ("/api", "GET, HEAD, OPTIONS"),
    ] {
        let page = app.visitor().send(Method::Options, path, None).await;
        assert_eq!((page.status(), page.header("allow")), (204, Some(allow)), "{path}");
        assert_eq!(page.header("vary"), None, "{path}");
    }
    let unknown = app.visitor().send(Method::Options, "/api/nothing", None).await;
    assert_eq!(unknown.status(), 404);
}

#[on_both]
async fn further_names_serve_programs_and_no_pages(env: TestEnv) {
    let app = env.app_with(&[("allowed_hosts", "backend, auth.internal:8080")]).await;
    for (host, is_served) in [
        ("backend:8000", true),
        ("Backend", true),
        ("auth.internal:8080", true),
        ("auth.internal:9090", false),
        ("evil.example", false),
    ] {
        let status = if is_served { 200 } else { 421 };
        for path in ["/.well-known/jwks.json", "/health/live", "/api/openapi.json"] {
            let page = app.visitor().with("Host", host).get(path).await;
            assert_eq!(page.status(), status, "{host} {path}");
        }
        let page = app.visitor().with("Host", host).get("/account/login").await;
        assert_eq!(page.status(), 421, "{host}");
    }
    let refused = app.api_client().with("Host", "evil.example").get("/api/users").await;
    assert!(refused.text("detail").contains("allowed_hosts"), "{}", refused.json);
}

#[on_both]
async fn the_issuer_can_be_discovered(env: TestEnv) {
    let app = env.app_with(&[("issuer", "https://issuer.example")]).await;

    let reply = app.api_client().get("/.well-known/oauth-authorization-server").await;

    assert_eq!(reply.status(), 200);
    assert_eq!(reply.text("issuer"), "https://issuer.example");
    assert_eq!(reply.text("jwks_uri"), "http://localhost:8000/.well-known/jwks.json");
    assert!(header(&reply, "cache-control").is_some_and(|kept| kept.starts_with("public")));
}

#[on_both]
async fn password_managers_find_the_page_for_a_new_password(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().get("/.well-known/change-password").await;

    assert_eq!(page.status(), 303);
    assert_eq!(page.header("location"), Some("/account/password/change"));
}

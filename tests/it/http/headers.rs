//! What every answer carries, and how cookies are made.

use rocket::http::{ContentType, Cookie, Method};

use crate::support::{Page, TestEnv, on_both};

fn is_guarded(page: &Page, what: &str) {
    let policy = page.header("content-security-policy").expect(what);
    for rule in
        ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
    {
        assert!(policy.contains(rule), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.all(name), [value], "{what}");
    }
    assert_eq!(page.header("server"), None, "{what}");
    assert_eq!(page.header("x-request-id").map(str::len), Some(16), "{what}");
}

#[on_both]
async fn every_response_has_security_headers(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for path in [
        "/",
        "/account/join",
        "/account/login",
        "/account/mypage",
        "/nowhere",
        "/account/logout",
        "/health/live",
        "/health/ready",
        "/.well-known/jwks.json",
        "/static/nothing",
        "/admin/setup/x",
        "/~refused",
    ] {
        is_guarded(&ada.get(path).await, path);
        is_guarded(&app.visitor().get(path).await, path);
    }
    is_guarded(&ada.post("/account/logout", &[]).await, "403");
    is_guarded(&app.visitor().with("Host", "evil.example").get("/").await, "421");
    let large = Some((ContentType::Form, vec![b'x'; 1 << 20]));
    is_guarded(&ada.send(Method::Post, "/account/login", large).await, "413");
    let plain = Some((ContentType::Plain, Vec::new()));
    is_guarded(&ada.send(Method::Post, "/account/login", plain).await, "415");
    app.execute("DROP TABLE audit_events").await;
    is_guarded(&app.visitor().signs_up("eve@example.com", crate::support::GOOD).await, "500");
}

#[on_both]
async fn pages_are_not_cached(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for path in ["/", "/account/mypage", "/nowhere"] {
        let page = ada.get(path).await;
        assert_eq!(page.header("cache-control"), Some("no-store, no-transform"), "{path}");
    }
    let redirect = ada.get("/account/login").await;
    assert_eq!(redirect.header("cache-control"), Some("no-store"));
}

#[on_both]
async fn https_cookies_are_bound_to_the_host(env: TestEnv) {
    let app = env.app_with(&[("public_url", "https://gate.example")]).await;
    let mut ada = app.visitor();

    let answer = ada.signs_up("ada@example.com", crate::support::GOOD).await;

    let cookies: Vec<_> = answer.all("set-cookie").into_iter().map(parsed).collect();
    let names: Vec<_> = cookies.iter().map(|cookie| cookie.name().to_owned()).collect();
    assert!(names.contains(&"__Host-access".into()) && names.contains(&"__Host-refresh".into()));
    for cookie in &cookies {
        assert_eq!(cookie.secure(), Some(true), "{cookie}");
        assert_eq!(cookie.http_only(), Some(true), "{cookie}");
        assert_eq!(cookie.path(), Some("/"), "{cookie}");
        assert_eq!(cookie.domain(), None, "{cookie}");
        assert_eq!(cookie.same_site(), Some(rocket::http::SameSite::Lax), "{cookie}");
    }
    let page = ada.get("/account/mypage").await;
    assert_eq!(page.header("strict-transport-security"), Some("max-age=31536000"));
}

#[on_both]
async fn hsts_covers_subdomains_if_configured(env: TestEnv) {
    let settings = [("public_url", "https://gate.example"), ("hsts_include_subdomains", "true")];
    let app = env.app_with(&settings).await;

    for path in ["/", "/nowhere", "/health/live"] {
        let page = app.visitor().get(path).await;
        let said = page.header("strict-transport-security");
        assert_eq!(said, Some("max-age=31536000; includeSubDomains"), "{path}");
    }
    let app = env.app_with(&[("hsts_include_subdomains", "true")]).await;
    assert_eq!(app.visitor().get("/").await.header("strict-transport-security"), None);
}

#[on_both]
async fn https_logout_removes_the_cookies(env: TestEnv) {
    let app = env.app_with(&[("public_url", "https://gate.example")]).await;
    let mut ada = app.user("ada").await;
    assert!(ada.cookie("__Host-access").is_some());

    ada.logs_out().await;
    ada.get("/").await;

    let left: Vec<_> = ada.cookies.keys().map(String::as_str).collect();
    assert_eq!(
        left,
        ["__Host-device", "__Host-visitor"],
        "a browser that insists on the prefix lets them go"
    );
}

#[on_both]
async fn http_cookies_have_plain_names(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor();

    let answer = ada.signs_up("ada@example.com", crate::support::GOOD).await;

    let cookies: Vec<_> = answer.all("set-cookie").into_iter().map(parsed).collect();
    for name in ["access", "refresh"] {
        let cookie = cookies.iter().find(|cookie| cookie.name() == name).expect(name);
        assert_eq!((cookie.http_only(), cookie.secure()), (Some(true), None), "{name}");
        assert_eq!(cookie.same_site(), Some(rocket::http::SameSite::Lax), "{name}");
    }
    let access = cookies.iter().find(|cookie| cookie.name() == "access").expect("set");
    let refresh = cookies.iter().find(|cookie| cookie.name() == "refresh").expect("set");
    assert_eq!(access.max_age().map(rocket::time::Duration::whole_seconds), Some(300));
    assert_eq!(refresh.max_age().map(rocket::time::Duration::whole_seconds), Some(14 * 86_400));
    assert_eq!(ada.get("/").await.header("strict-transport-security"), None);
}

fn parsed(header: &str) -> Cookie<'static> {
    Cookie::parse(header.to_owned()).expect("a cookie")
}

//! Requests that our own pages did not send.

use rocket::http::{ContentType, Method};

use crate::support::browser::encode;
use crate::support::{App, Browser, GOOD, NEW, TestEnv, on_both};

/// A path, and fields that it would take.
type Form = (&'static str, &'static [(&'static str, &'static str)]);

/// Every unsafe route with a form that would work.
const FORMS: [Form; 13] = [
    ("/account/join", &[("email", "new@example.com"), ("password1", GOOD), ("password2", GOOD)]),
    ("/account/login", &[("email", "ada@example.com"), ("password", GOOD)]),
    ("/account/logout", &[]),
    ("/language", &[("language", "ko")]),
    ("/account/password/reset", &[("email", "ada@example.com")]),
    ("/account/password/new", &[("new_password1", NEW), ("new_password2", NEW)]),
    ("/account/password/reset/token", &[("new_password1", NEW), ("new_password2", NEW)]),
    ("/account/password/strength", &[("password", GOOD)]),
    ("/account/link", &[]),
    ("/account/email/verify/token", &[]),
    ("/account/email/change/token", &[]),
    ("/account/email/undo/token", &[]),
    ("/account/not-me/token", &[]),
];

/// Routes that turn strangers away before they look at a form.
const FORMS_OF_USERS: [Form; 8] = [
    ("/account/sessions/end-others", &[]),
    ("/account/sessions/00000000000000000000000000000000/end", &[]),
    ("/account/email/verify", &[]),
    ("/account/profile", &[("name", "Ada"), ("language", "ko")]),
    ("/account/sudo", &[("password", GOOD)]),
    ("/account/delete", &[("password", GOOD)]),
    ("/account/email/change", &[("email", "ada@new.example"), ("password", GOOD)]),
    (
        "/account/password/change",
        &[("old_password", GOOD), ("new_password1", NEW), ("new_password2", NEW)],
    ),
];

/// What a refused request must not have touched.
async fn traces(app: &App) -> Vec<i64> {
    let mut rows = Vec::new();
    for table in ["users", "sessions", "audit_events", "throttle", "one_time_links", "outbox"] {
        rows.push(app.query_number(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    for change in [
        "sessions WHERE ended_at IS NOT NULL",
        "users WHERE deletes_at IS NOT NULL OR email_verified_at IS NOT NULL",
        "users WHERE name <> '' OR language <> 'en'",
    ] {
        rows.push(app.query_number(&format!("SELECT COUNT(*) FROM {change}")).await);
    }
    rows.push(
        app.query_number("SELECT COUNT(*) FROM one_time_links WHERE used_at IS NOT NULL").await,
    );
    rows
}

async fn refuses(app: &App, browser: &mut Browser<'_>, token: Option<&str>, why: &str) {
    let before = traces(app).await;
    let is_signed_in = browser.cookie("access").is_some();
    let of_users = FORMS_OF_USERS.into_iter().filter(|_| is_signed_in);
    for (path, fields) in FORMS.into_iter().chain(of_users) {
        let token: Vec<_> = token.map(|token| ("csrf", token)).into_iter().collect();
        let page = browser.post(path, &[&token[..], fields].concat()).await;
        assert_eq!(page.status(), 403, "{path}: {why}");
        assert_eq!(page.h1(), "The form couldn't be accepted", "{path}: {why}");
    }
    assert_eq!(traces(app).await, before, "{why}");
}

/// A visitor's form does nothing after the log-in, and leads to where its sender was going.
async fn leads_on(app: &App, browser: &mut Browser<'_>, token: &str) {
    let before = traces(app).await;
    for (path, fields) in FORMS.into_iter().chain(FORMS_OF_USERS) {
        let fields = [&[("csrf", token)], fields].concat();
        let page = browser.post(path, &fields).await;
        let place = match path {
            "/account/login" | "/account/join" => Some("/account/mypage"),
            "/language" => Some("/"),
            "/account/link" | "/account/password/new" | "/account/password/reset" => Some(path),
            _ => None,
        };
        assert_eq!(page.location(), place, "{path}");
        assert_eq!(page.status(), if place.is_some() { 303 } else { 403 }, "{path}");
    }
    assert_eq!(traces(app).await, before, "a stranger's token after the log-in");
}

#[on_both]
async fn email_links_need_their_form_token_too(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let not_me = app.last_email_to("ada@example.com").await.link("/account/not-me/");
    let verify = app.last_email_to("ada@example.com").await.link("/account/email/verify/");
    app.visitor().requests_password_reset("ada@example.com").await;
    let reset = app.last_email_to("ada@example.com").await.link("/account/password/reset/");
    let before = traces(&app).await;
    for link in [&not_me, &verify, &reset] {
        let mut visitor = app.visitor();
        visitor.get(link).await;
        let token = visitor.token().await;
        let mut elsewhere = visitor.clone().with("Origin", "https://evil.example");
        let fields = [("new_password1", NEW), ("new_password2", NEW)];
        for path in [link, "/account/link", "/account/password/new"] {
            assert_eq!(visitor.post(path, &fields).await.status(), 403, "{path}");
            let fields = [&[("csrf", token.as_str())][..], &fields].concat();
            assert_eq!(elsewhere.post(path, &fields).await.status(), 403, "{path}");
        }
    }

    assert_eq!(traces(&app).await, before);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn a_form_without_its_token_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut eve = app.user("eve").await;
    let mut visitor = app.visitor();
    let of_eve = eve.token().await;
    let of_visitor = visitor.token().await;
    let of_ada = ada.token().await;

    refuses(&app, &mut ada, None, "no token").await;
    refuses(&app, &mut ada, Some(""), "an empty token").await;
    refuses(&app, &mut ada, Some("rubbish"), "rubbish").await;
    refuses(&app, &mut ada, Some(&of_eve), "another session's token").await;
    leads_on(&app, &mut ada, &of_visitor).await;
    refuses(&app, &mut visitor, Some(&of_ada), "a session's token without the session").await;
    refuses(&app, &mut app.visitor(), Some(&of_visitor), "a token without its cookie").await;
    refuses(&app, &mut app.visitor(), None, "nothing at all").await;
}

#[on_both]
async fn user_forms_need_their_own_token_for_staff_too(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let before = traces(&app).await;
    for path in
        ["/admin/groups/new", "/admin/groups/1", "/admin/groups/1/delete", "/admin/mail/1/retry"]
    {
        let fields = [("name", "x"), ("csrf", "rubbish")];
        for fields in [&fields[..1], &fields] {
            assert_eq!(root.post(path, fields).await.status(), 403, "{path}");
        }
    }
    assert_eq!(traces(&app).await, before);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM groups").await, 0);
}

#[on_both]
async fn a_cross_site_request_is_refused_despite_its_token(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;
    for (name, value) in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://localhost:8001"),
        ("Origin", "http://localhost.evil.example:8000"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "nonsense"),
    ] {
        let mut elsewhere = ada.clone().with(name, value);
        refuses(&app, &mut elsewhere, Some(&token), &format!("{name}: {value}")).await;
    }
}

#[on_both]
async fn admin_forms_need_their_own_token(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let id = app.id_of("ada").await;
    let mut root = app.superuser("root").await;
    let of_ada = ada.token().await;
    let before = traces(&app).await;
    let tails =
        ["", "/password", "/activate", "/deactivate", "/verify", "/sessions/end", "/delete"];
    let paths = tails.map(|tail| format!("/admin/users/{id}{tail}"));
    for path in paths.into_iter().chain(["/admin/users/new".into()]) {
        for token in ["", "rubbish", &of_ada] {
            let fields = [("csrf", token), ("action", "unusable"), ("email", "a@example.com")];
            let page = root.post(&path, &fields).await;
            assert_eq!(page.status(), 403, "{path}: {token}");
            assert_eq!(page.h1(), "The form couldn't be accepted", "{path}");
        }
    }
    assert_eq!(traces(&app).await, before);
}

#[on_both]
async fn a_same_site_request_is_accepted(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for (origin, site) in [
        ("http://localhost:8000", "same-origin"),
        ("http://127.0.0.1:8000", "same-origin"),
        ("http://localhost:8000", "none"),
    ] {
        let mut ada = app.visitor().with("Origin", origin).with("Sec-Fetch-Site", site);
        assert_eq!(ada.logs_in("ada@example.com", GOOD).await.status(), 303, "{origin} {site}");
    }
}

#[on_both]
async fn a_token_in_the_query_is_ignored(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;

    let page = ada.post(&format!("/account/logout?csrf={token}"), &[]).await;

    assert_eq!(page.status(), 403);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn a_get_changes_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let before = traces(&app).await;
    for (path, _) in FORMS.iter().chain(&FORMS_OF_USERS) {
        for method in [Method::Get, Method::Head] {
            ada.send(method, path, None).await;
        }
    }
    assert_eq!(traces(&app).await, before);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn a_form_cannot_change_its_method(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;
    for method in ["DELETE", "PUT", "PATCH", "GET", "get", "POST"] {
        for path in ["/account/logout", "/account/mypage", "/", "/nowhere"] {
            for start in ["_method", "&_method", "&&&_method", "%5Fmethod", "_metho%64"] {
                let body = format!("{start}={method}&csrf={token}").into_bytes();
                let page = ada.send(Method::Post, path, Some((ContentType::Form, body))).await;
                assert_eq!(page.status(), 403, "{start}={method} {path}");
            }
        }
    }
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn cross_site_requests_are_refused_before_routing(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.visitor().with("Origin", "https://evil.example");
    for method in [Method::Put, Method::Patch, Method::Delete, Method::Post] {
        let body = Some((ContentType::Form, encode(&[])));
        assert_eq!(eve.send(method, "/account/mypage", body).await.status(), 403, "{method}");
    }
}

#[on_both]
async fn bearer_requests_need_no_token_and_ignore_cookies(env: TestEnv) {
    let app = env.app().await;
    app.user("eve").await;
    let ada = app.user("ada").await;
    let bearer = format!("Bearer {}", ada.cookies["access"]);

    let mut phone = app.visitor().with("Authorization", &bearer);
    assert_eq!(phone.post("/account/logout", &[]).await.location(), Some("/"));
    assert!(!ada.clone().is_signed_in().await, "the bearer's own session is over");

    let mut eve = app.visitor();
    eve.logs_in("eve@example.com", GOOD).await;
    let mut mixed = eve.clone().with("Authorization", "Bearer rubbish");
    mixed.post("/account/logout", &[]).await;
    assert!(eve.is_signed_in().await, "a header never acts for a cookie");
}

#[on_both]
async fn an_invalid_bearer_token_exempts_from_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let (access, refresh) = (ada.cookies["access"].clone(), ada.cookies["refresh"].clone());
    ada.logs_out().await;
    ada.logs_in("ada@example.com", GOOD).await;
    let token = ada.token().await;
    let before = traces(&app).await;
    for bearer in ["x", "", &refresh, &access] {
        let mut bearing = ada.clone().with("Authorization", &format!("Bearer {bearer}"));
        let mut elsewhere = bearing.clone().with("Origin", "https://evil.example");
        for (path, fields) in FORMS {
            let page = bearing.post(path, fields).await;
            assert_eq!(page.status(), 403, "{path} without its token: {bearer}");
            let fields = [&[("csrf", token.as_str())][..], fields].concat();
            let page = elsewhere.post(path, &fields).await;
            assert_eq!(page.status(), 403, "{path} from elsewhere: {bearer}");
        }
    }
    assert_eq!(traces(&app).await, before);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn contradictory_headers_are_refused(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;
    for (name, value) in [("Origin", "http://localhost:8000"), ("Sec-Fetch-Site", "same-origin")] {
        let mut twice = ada.clone().with(name, value).with(name, value);
        refuses(&app, &mut twice, Some(&token), &format!("{name} twice")).await;
    }
    let bearer = format!("Bearer {}", ada.cookies["access"]);
    let mut twice = app.visitor().with("Authorization", "Bearer x").with("Authorization", &bearer);
    assert_eq!(twice.get("/account/mypage").await.status(), 400, "two credentials");
}

#[on_both]
async fn only_the_sites_own_host_is_served(env: TestEnv) {
    let app = env.app_with(&[("public_url", "https://gate.example")]).await;
    for host in [
        "evil.example",
        "gate.example.evil.example",
        "evil.example:8000",
        "evil.example:443",
        "gate.example:1",
        "gate.example:80",
        "gate.example:",
        "gate.example:443:443",
    ] {
        let mut visitor = app.visitor().with("Host", host);
        let page = visitor.get("/").await;
        assert_eq!((page.status(), visitor.cookies.len()), (421, 1), "{host}");
        assert!(page.texts("main p").join(" ").contains("https://gate.example"));
    }
    for host in [
        "gate.example",
        "GATE.example",
        "gate.example:443",
        "127.0.0.1:8000",
        "[::1]:8000",
        "localhost",
    ] {
        let mut visitor = app.visitor().with("Host", host);
        assert_eq!(visitor.get("/").await.status(), 200, "{host}");
    }
}

#[on_both]
async fn the_default_port_of_http_is_80(env: TestEnv) {
    let settings = [("public_url", "http://gate.example"), ("allow_http", "true")];
    let app = env.app_with(&settings).await;
    for (host, status) in [("gate.example:80", 200), ("gate.example:443", 421)] {
        let mut visitor = app.visitor().with("Host", host);
        assert_eq!(visitor.get("/").await.status(), status, "{host}");
    }
}

#[on_both]
async fn a_forwarded_host_is_ignored(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor().with("X-Forwarded-Host", "evil.example");

    let page = visitor.get("/account/mypage").await;

    assert_eq!(page.location(), Some("/account/login?next=%2Faccount%2Fmypage"));
    assert!(!page.text().contains("evil"));
}

//! Requests that our own pages did not send.

use rocket::http::{ContentType, Method};

use crate::support::browser::encode;
use crate::support::{App, Browser, GOOD, World};

/// Every unsafe route with a form that would work.
const FORMS: [(&str, &[(&str, &str)]); 4] = [
    ("/account/join", &[("email", "new@example.com"), ("password1", GOOD), ("password2", GOOD)]),
    ("/account/login", &[("email", "ada@example.com"), ("password", GOOD)]),
    ("/account/logout", &[]),
    ("/language", &[("language", "ko")]),
];

/// Routes that turn strangers away before they look at a form.
const FORMS_OF_PEOPLE: [&str; 2] =
    ["/account/sessions/end-others", "/account/sessions/00000000000000000000000000000000/end"];

/// What a refused request must not have touched.
async fn traces(app: &App) -> Vec<i64> {
    let mut rows = Vec::new();
    for table in ["users", "sessions", "audit_events", "throttle", "one_time_links"] {
        rows.push(app.number(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    rows.push(app.number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL").await);
    rows
}

async fn refuses(app: &App, browser: &mut Browser<'_>, token: Option<&str>, why: &str) {
    let before = traces(app).await;
    let is_person = browser.cookie("access").is_some();
    let of_people = FORMS_OF_PEOPLE.iter().map(|path| (*path, [].as_slice()));
    for (path, fields) in FORMS.into_iter().chain(of_people.filter(|_| is_person)) {
        let token: Vec<_> = token.map(|token| ("csrf", token)).into_iter().collect();
        let page = browser.post(path, &[&token[..], fields].concat()).await;
        assert_eq!(page.status(), 403, "{path}: {why}");
        assert_eq!(page.h1(), "The form could not be accepted", "{path}: {why}");
    }
    assert_eq!(traces(app).await, before, "{why}");
}

on_both! {
    async fn a_form_without_its_own_token_is_refused(world: World) {
        let app = world.app().await;
        let mut ada = app.person("ada").await;
        let mut eve = app.person("eve").await;
        let mut visitor = app.visitor();
        let of_eve = eve.token().await;
        let of_visitor = visitor.token().await;
        let of_ada = ada.token().await;

        refuses(&app, &mut ada, None, "no token").await;
        refuses(&app, &mut ada, Some(""), "an empty token").await;
        refuses(&app, &mut ada, Some("rubbish"), "rubbish").await;
        refuses(&app, &mut ada, Some(&of_eve), "another session's token").await;
        refuses(&app, &mut ada, Some(&of_visitor), "a stranger's token after the log-in").await;
        refuses(&app, &mut visitor, Some(&of_ada), "a session's token without the session").await;
        refuses(&app, &mut app.visitor(), Some(&of_visitor), "a token without its cookie").await;
        refuses(&app, &mut app.visitor(), None, "nothing at all").await;
    }

    async fn a_form_of_staff_without_its_own_token_is_refused(world: World) {
        let app = world.app().await;
        let mut root = app.superuser("root").await;
        let before = traces(&app).await;
        for path in [
            "/admin/groups/new",
            "/admin/groups/1",
            "/admin/groups/1/delete",
            "/admin/mail/1/retry",
        ] {
            let fields = [("name", "x"), ("csrf", "rubbish")];
            for fields in [&fields[..1], &fields] {
                assert_eq!(root.post(path, fields).await.status(), 403, "{path}");
            }
        }
        assert_eq!(traces(&app).await, before);
        assert_eq!(app.number("SELECT COUNT(*) FROM groups").await, 0);
    }

    async fn a_request_from_elsewhere_is_refused_even_with_the_token(world: World) {
        let app = world.app().await;
        let mut ada = app.person("ada").await;
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

    async fn a_request_from_our_own_pages_is_welcome(world: World) {
        let app = world.app().await;
        app.person("ada").await;
        for (origin, site) in [
            ("http://localhost:8000", "same-origin"),
            ("http://127.0.0.1:8000", "same-origin"),
            ("http://localhost:8000", "none"),
        ] {
            let mut ada = app.visitor().with("Origin", origin).with("Sec-Fetch-Site", site);
            assert_eq!(ada.logs_in("ada@example.com", GOOD).await.status(), 303, "{origin} {site}");
        }
    }

    async fn a_token_in_the_query_is_no_token(world: World) {
        let app = world.app().await;
        let mut ada = app.person("ada").await;
        let token = ada.token().await;

        let page = ada.post(&format!("/account/logout?csrf={token}"), &[]).await;

        assert_eq!(page.status(), 403);
        assert!(ada.is_signed_in().await);
    }

    async fn asking_for_a_page_changes_nothing(world: World) {
        let app = world.app().await;
        let mut ada = app.person("ada").await;
        let before = traces(&app).await;
        for path in FORMS.iter().map(|(path, _)| path).chain(&FORMS_OF_PEOPLE) {
            for method in [Method::Get, Method::Head] {
                ada.send(method, path, None).await;
            }
        }
        assert_eq!(traces(&app).await, before);
        assert!(ada.is_signed_in().await);
    }

    async fn a_form_cannot_change_its_method(world: World) {
        let app = world.app().await;
        let mut ada = app.person("ada").await;
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

    async fn other_methods_from_elsewhere_are_refused_before_they_are_routed(world: World) {
        let app = world.app().await;
        let mut eve = app.visitor().with("Origin", "https://evil.example");
        for method in [Method::Put, Method::Patch, Method::Delete, Method::Post] {
            let body = Some((ContentType::Form, encode(&[])));
            assert_eq!(eve.send(method, "/account/mypage", body).await.status(), 403, "{method}");
        }
    }

    async fn a_bearer_request_needs_no_token_and_looks_at_no_cookie(world: World) {
        let app = world.app().await;
        app.person("eve").await;
        let ada = app.person("ada").await;
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

    async fn only_our_own_host_is_answered_for(world: World) {
        let app = world.app_with(&[("public_url", "https://gate.example")]).await;
        for host in
            ["evil.example", "gate.example.evil.example", "evil.example:8000", "gate.example:1"]
        {
            let mut visitor = app.visitor().with("Host", host);
            let page = visitor.get("/").await;
            assert_eq!((page.status(), visitor.cookies.len()), (421, 1), "{host}");
            assert!(page.texts("main p").join(" ").contains("https://gate.example"));
        }
        for host in ["gate.example", "GATE.example", "127.0.0.1:8000", "[::1]:8000", "localhost"] {
            let mut visitor = app.visitor().with("Host", host);
            assert_eq!(visitor.get("/").await.status(), 200, "{host}");
        }
    }

    async fn a_forwarded_host_is_not_believed(world: World) {
        let app = world.app().await;
        let mut visitor = app.visitor().with("X-Forwarded-Host", "evil.example");

        let page = visitor.get("/account/mypage").await;

        assert_eq!(page.location(), Some("/account/login?next=%2Faccount%2Fmypage"));
        assert!(!page.text().contains("evil"));
    }
}

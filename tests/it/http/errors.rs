//! Pages that say that something did not work.

use rocket::http::{ContentType, Method};

use crate::support::{GOOD, TestEnv, on_both};

#[on_both]
async fn an_unknown_path_is_404_in_both_languages(env: TestEnv) {
    let app = env.app().await;
    for path in ["/nowhere", "/account", "/account/nothing", "/static/app.css", "/admin/setup/x"] {
        let page = app.visitor().get(path).await;
        assert_eq!((page.status(), page.h1().as_str()), (404, "Page not found"), "{path}");
        let page = app.visitor().with("Accept-Language", "ko").get(path).await;
        assert_eq!(page.h1(), "페이지를 찾을 수 없습니다", "{path}");
    }
}

#[on_both]
async fn a_wrong_method_is_405_and_names_the_right_ones(env: TestEnv) {
    let app = env.app().await;
    for (method, path, allow) in [
        (Method::Get, "/account/logout", "POST"),
        (Method::Get, "/language", "POST"),
        (Method::Post, "/account/mypage", "GET, HEAD"),
        (Method::Delete, "/account/login", "GET, HEAD, POST"),
        (Method::Put, "/", "GET, HEAD"),
        (Method::Post, "/health/live", "GET, HEAD"),
        (Method::Put, "/admin/setup/x", "GET, HEAD, POST"),
    ] {
        let page = app.visitor().send(method, path, None).await;
        assert_eq!((page.status(), page.header("allow")), (405, Some(allow)), "{method} {path}");
    }
}

#[on_both]
async fn an_internal_error_shows_only_its_request_id(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    app.execute("DROP TABLE audit_events").await;

    let page = visitor.signs_up("ada@example.com", GOOD).await;

    assert_eq!(page.status(), 500);
    let id = page.header("x-request-id").expect("named").to_owned();
    assert!(page.text().contains(&id));
    for word in ["audit_events", "SQL", "sql", "relation", "table", "ada@example.com", GOOD] {
        assert!(!page.text().contains(word), "{word}");
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 0, "nothing half written");
}

#[on_both]
async fn an_error_page_keeps_the_users_language_and_login(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.get("/nowhere").await;

    assert!(page.texts("nav a").contains(&"My page".into()));
    let token = page.token().expect("forms work on error pages too");
    assert_eq!(ada.post("/account/logout", &[("csrf", &token)]).await.location(), Some("/"));
}

#[on_both]
async fn odd_bodies_are_client_errors(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let bodies = [
        Vec::new(),
        b"&&&&".to_vec(),
        b"=".to_vec(),
        vec![0; 100],
        vec![0xff; 100],
        [b"csrf=".as_slice(), token.as_bytes(), b"&email[]=a&email[x]=b"].concat(),
        [b"csrf=".as_slice(), token.as_bytes(), b"&email=%"].concat(),
        [b"csrf=".as_slice(), token.as_bytes(), "&a=b".repeat(3000).as_bytes()].concat(),
    ];
    for path in ["/account/join", "/account/login", "/account/logout", "/language"] {
        for body in &bodies {
            let sent = Some((ContentType::Form, body.clone()));
            let page = visitor.send(Method::Post, path, sent).await;
            assert!((300..500).contains(&page.status()), "{path}: {}", page.status());
        }
    }
}

#[on_both]
async fn a_form_has_at_most_64_fields(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let body = |others: usize| {
        let others: Vec<_> = (0..others).map(|name| format!("&x{name}=1")).collect();
        format!("csrf={token}&email=ada%40example.com{}", others.concat()).into_bytes()
    };
    for (others, status, heading) in [
        (62, 422, "Log in"),
        (63, 413, "That is too much at once"),
        (2000, 413, "That is too much at once"),
    ] {
        let sent = Some((ContentType::Form, body(others)));
        let page = visitor.send(Method::Post, "/account/login", sent).await;
        assert_eq!((page.status(), page.h1().as_str()), (status, heading), "{others}");
    }
    let parts: Vec<_> = (0..65)
        .map(|name| format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n\r\n"))
        .collect();
    let kind = ContentType::new("multipart", "form-data").with_params(("boundary", "x"));
    let mut root = app.superuser("root").await;
    let sent = Some((kind, format!("{}--x--", parts.concat()).into_bytes()));
    let page = root.send(Method::Post, "/admin/users/import", sent).await;
    assert_eq!(page.status(), 413);
}

#[on_both]
async fn a_repeated_error_is_shown_once(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let body = format!("csrf={token}{}{}", "&email=a".repeat(900), "&a=b".repeat(900));

    let sent = Some((ContentType::Form, body.into_bytes()));
    let page = visitor.send(Method::Post, "/account/login", sent).await;

    assert_eq!(page.status(), 422);
    assert_eq!(page.field("email").errors.len(), 1, "{:?}", page.field("email").errors);
    assert!(page.summary().len() <= 4, "{:?}", page.summary());
}

#[on_both]
async fn odd_queries_are_ignored(env: TestEnv) {
    let app = env.app().await;
    for path in
        ["/account/login?next=%ff", "/account/login?next", "/?%00", "/account/join?next=a&next=b"]
    {
        assert_eq!(app.visitor().get(path).await.status(), 200, "{path}");
    }
}

#[on_both]
async fn health_checks_are_answered(env: TestEnv) {
    let app = env.app().await;

    assert_eq!(app.visitor().get("/health/live").await.status(), 200);
    assert_eq!(app.visitor().get("/health/ready").await.status(), 200);
    app.ctx.db.close().await;
    assert_eq!(app.visitor().get("/health/live").await.status(), 200);
    assert_eq!(app.visitor().get("/health/ready").await.status(), 503);
}

#[on_both]
async fn without_the_database_pages_ask_to_come_back(env: TestEnv) {
    let app = env.app_with(&[("session_cache", "0s")]).await;
    let mut ada = app.user("ada").await;
    app.ctx.db.close().await;

    let page = ada.get("/account/mypage").await;

    assert_eq!((page.status(), page.header("retry-after")), (503, Some("5")));
    assert!(ada.cookie("access").is_some(), "nobody is signed out by that");
}

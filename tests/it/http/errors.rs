//! Pages that say that something did not work.

use rocket::http::{ContentType, Method};

use crate::support::{GOOD, World, on_both};

#[on_both]
async fn what_is_not_there_is_404_in_both_languages(world: World) {
    let app = world.app().await;
    for path in ["/nowhere", "/account", "/account/nothing", "/static/app.css", "/admin/setup/x"] {
        let page = app.visitor().get(path).await;
        assert_eq!((page.status(), page.h1().as_str()), (404, "There is nothing here"), "{path}");
        let page = app.visitor().with("Accept-Language", "ko").get(path).await;
        assert_eq!(page.h1(), "페이지를 찾을 수 없습니다", "{path}");
    }
}

#[on_both]
async fn a_method_that_a_page_does_not_have_is_405_and_the_right_ones_are_named(world: World) {
    let app = world.app().await;
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
async fn an_error_of_ours_names_the_request_and_nothing_else(world: World) {
    let app = world.app().await;
    let mut visitor = app.visitor();
    app.execute("DROP TABLE audit_events").await;

    let page = visitor.joins("ada@example.com", GOOD).await;

    assert_eq!(page.status(), 500);
    let id = page.header("x-request-id").expect("named").to_owned();
    assert!(page.text().contains(&id));
    for word in ["audit_events", "SQL", "sql", "relation", "table", "ada@example.com", GOOD] {
        assert!(!page.text().contains(word), "{word}");
    }
    assert_eq!(app.number("SELECT COUNT(*) FROM users").await, 0, "nothing half written");
}

#[on_both]
async fn an_error_page_knows_who_is_reading(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;

    let page = ada.get("/nowhere").await;

    assert!(page.texts("nav a").contains(&"My page".into()));
    let token = page.token().expect("forms work on error pages too");
    assert_eq!(ada.post("/account/logout", &[("csrf", &token)]).await.location(), Some("/"));
}

#[on_both]
async fn odd_bodies_are_a_normal_case(world: World) {
    let app = world.app().await;
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
async fn a_form_has_at_most_64_fields(world: World) {
    let app = world.app().await;
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
async fn a_mistake_that_is_made_a_thousand_times_is_said_once(world: World) {
    let app = world.app().await;
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
async fn odd_queries_are_a_normal_case(world: World) {
    let app = world.app().await;
    for path in
        ["/account/login?next=%ff", "/account/login?next", "/?%00", "/account/join?next=a&next=b"]
    {
        assert_eq!(app.visitor().get(path).await.status(), 200, "{path}");
    }
}

#[on_both]
async fn whoever_watches_over_the_machine_is_answered(world: World) {
    let app = world.app().await;

    assert_eq!(app.visitor().get("/health/live").await.status(), 200);
    assert_eq!(app.visitor().get("/health/ready").await.status(), 200);
    app.ctx.db.close().await;
    assert_eq!(app.visitor().get("/health/live").await.status(), 200);
    assert_eq!(app.visitor().get("/health/ready").await.status(), 503);
}

#[on_both]
async fn without_the_database_people_are_asked_to_come_back(world: World) {
    let app = world.app_with(&[("session_cache", "0s")]).await;
    let mut ada = app.person("ada").await;
    app.ctx.db.close().await;

    let page = ada.get("/account/mypage").await;

    assert_eq!((page.status(), page.header("retry-after")), (503, Some("5")));
    assert!(ada.cookie("access").is_some(), "nobody is signed out by that");
}

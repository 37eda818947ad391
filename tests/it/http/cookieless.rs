//! Browsers without cookies, forms that were overtaken by a log-in, and links that are opened again.

use daemun::testing::flows;

use crate::support::{App, Browser, GOOD, NEW, TestEnv, on_both};

const ADA: &str = "ada@example.com";
const NEEDED: &str = "Cookies are needed";
const DEAD: &str = "This link no longer works";

async fn setup_link(app: &App) -> String {
    let token = flows::admin::setup::create_link(&app.ctx)
        .await
        .expect("answers")
        .expect("no superuser yet");
    format!("/admin/setup/{}", token.expose())
}

/// The heading after a link was opened in a browser that takes no cookies.
async fn opens_without_cookies(app: &App, link: &str) -> String {
    let arrival = app.visitor().get(link).await;
    app.visitor().get(arrival.location().expect("a good link leads on")).await.h1()
}

/// The headings after a link was opened for the second time, and after its button was pressed.
async fn is_answered(browser: &mut Browser<'_>, link: &str) -> [String; 2] {
    let page = browser.get(link).await;
    let fields = [("email", "eve@example.com"), ("password1", GOOD), ("password2", GOOD)];
    let pressed = browser.submits(link, &fields).await;
    assert_eq!((page.status(), pressed.status()), (404, 404), "{link}");
    [page.h1(), pressed.h1()]
}

#[on_both]
async fn without_cookies_forms_explain_that_they_are_needed(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let token = app.visitor().token().await;
    let fields = [("csrf", token.as_str()), ("email", ADA), ("password", GOOD)];
    for path in ["/account/login", "/account/join", "/account/password/reset", "/account/link"] {
        let page = app.visitor().post(path, &fields).await;
        assert_eq!(page.status(), 403, "{path}");
        let said = page.texts("main p").join(" ");
        assert!(said.contains("Allow cookies for http://localhost:8000"), "{path}: {said}");
        let page = app.visitor().with("Accept-Language", "ko").post(path, &fields).await;
        assert!(page.texts("main p").join(" ").contains("쿠키를 허용"), "{path}");
    }
    let mut elsewhere = app.visitor();
    elsewhere.get("/").await;
    let said = elsewhere.post("/account/login", &fields).await.texts("main p").join(" ");
    assert!(said.contains("open too long"), "this one takes cookies: {said}");
    let mut foreign = app.visitor().with("Origin", "https://evil.example");
    let said = foreign.post("/account/login", &fields).await.texts("main p").join(" ");
    assert!(said.contains("from a site other than"), "not for want of a cookie: {said}");
}

#[on_both]
async fn without_cookies_links_explain_that_they_are_needed(env: TestEnv) {
    let app = env.app().await;
    let setup = setup_link(&app).await;
    let mut ada = app.user("ada").await;
    let email = app.last_email_to(ADA).await;
    app.visitor().requests_password_reset(ADA).await;
    let reset = app.last_email_to(ADA).await.link("/account/password/reset/");
    ada.requests_email_change("ada@new.example", GOOD).await;
    let change = app.last_email_to("ada@new.example").await.link("/account/email/change/");
    let undo = app.last_email_to(ADA).await.find_link("/account/email/undo/");
    let links = ["/account/email/verify/", "/account/not-me/"].map(|start| email.link(start));

    for link in links.into_iter().chain([setup, reset, change]).chain(undo) {
        assert_eq!(opens_without_cookies(&app, &link).await, NEEDED, "{link}");
        let mut reader = app.visitor();
        let place = reader.get(&link).await.location().expect("a good link").to_owned();
        assert_eq!(reader.get(&place).await.status(), 200, "it was not used up: {link}");
    }
    for place in ["/account/link", "/account/password/new"] {
        let mut reader = app.visitor();
        reader.get("/").await;
        assert_eq!(reader.get(place).await.h1(), DEAD, "a browser with cookies, and no link");
    }
}

#[on_both]
async fn a_form_sent_after_a_login_elsewhere_goes_on(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let verify = app.last_email_to(ADA).await.link("/account/email/verify/");
    let mut ada = app.visitor();
    let token = ada.token().await;
    assert_eq!(ada.get(&verify).await.location(), Some("/account/link"));
    ada.logs_in(ADA, GOOD).await;
    let before = app.row_counts().await;

    for (path, next, place) in [
        ("/account/login", "/account/profile", "/account/profile"),
        ("/account/login", "", "/account/mypage"),
        ("/account/login", "//evil.example", "/account/mypage"),
        ("/account/join", "/account/profile", "/account/profile"),
        ("/account/join/address", "", "/account/mypage"),
        ("/account/social/kakao", "/account/profile", "/account/profile"),
        ("/language", "/account/profile", "/account/profile"),
        ("/account/link", "", "/account/link"),
        ("/account/password/reset", "", "/account/password/reset"),
    ] {
        let fields = [
            ("csrf", token.as_str()),
            ("next", next),
            ("email", "eve@example.com"),
            ("password", GOOD),
            ("password1", GOOD),
            ("password2", GOOD),
            ("language", "ko"),
        ];
        let page = ada.post(path, &fields).await;
        assert_eq!(page.location(), Some(place), "{path} {next}");
        assert_eq!(page.all("set-cookie"), [""; 0], "{path}");
    }

    assert_eq!(app.row_counts().await, before, "they do nothing");
    assert_eq!(app.audit_event_count("email_verified").await, 0);
    assert_eq!(ada.submits("/account/link", &[]).await.location(), Some("/account/mypage"));
    assert_eq!(app.audit_event_count("email_verified").await, 1, "pressed again, the button works");
}

#[on_both]
async fn a_form_of_another_session_is_not_repeated(env: TestEnv) {
    let app = env.app().await;
    let of_visitor = app.visitor().token().await;
    let mut ada = app.user("ada").await;
    let of_eve = app.user("eve").await.token().await;
    for (path, token) in [
        ("/account/login", of_eve.as_str()),
        ("/account/login", "rubbish"),
        ("/account/login", ""),
        ("/account/delete", &of_visitor),
        ("/account/logout", &of_visitor),
        ("/account/password/change", &of_visitor),
        ("/account/sudo", &of_visitor),
    ] {
        let fields = [("csrf", token), ("password", GOOD), ("old_password", NEW)];
        assert_eq!(ada.post(path, &fields).await.status(), 403, "{path} {token}");
    }
    let mut elsewhere = ada.clone().with("Sec-Fetch-Site", "cross-site");
    let fields = [("csrf", of_visitor.as_str())];
    assert_eq!(elsewhere.post("/account/login", &fields).await.status(), 403);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn a_used_link_says_so(env: TestEnv) {
    let app = env.app().await;
    let setup = setup_link(&app).await;
    let fields = [("email", "root@example.com"), ("password1", GOOD), ("password2", GOOD)];
    app.visitor().submits(&setup, &fields).await;
    let mut ada = app.user("ada").await;
    let verify = app.last_email_to(ADA).await.link("/account/email/verify/");
    ada.follows_link(&verify).await;
    ada.requests_email_change("ada@new.example", GOOD).await;
    let change = app.last_email_to("ada@new.example").await.link("/account/email/change/");

    for mut reader in [app.visitor(), ada.clone()] {
        let said = is_answered(&mut reader, &setup).await;
        assert_eq!(said, ["This site is already set up"; 2]);
        let said = is_answered(&mut reader, &verify).await;
        assert_eq!(said, ["Your email is already verified"; 2]);
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 2);

    ada.follows_link(&change).await;
    let said = is_answered(&mut app.visitor(), &change).await;
    assert_eq!(said, ["Your email has already been changed"; 2]);
    assert_eq!(is_answered(&mut app.visitor(), &verify).await, [DEAD; 2], "of another address");
    app.deactivates("ada@new.example").await;
    assert_eq!(is_answered(&mut app.visitor(), &change).await, [DEAD; 2], "not for anybody now");
}

#[on_both]
async fn the_setup_link_ends_with_the_first_superuser(env: TestEnv) {
    let app = env.app().await;
    let setup = setup_link(&app).await;
    app.creates_superuser("root").await;

    let said = is_answered(&mut app.visitor(), &setup).await;

    assert_eq!(said, ["This site is already set up"; 2]);
}

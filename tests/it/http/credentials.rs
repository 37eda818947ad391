//! Credentials that are none of ours, and such as do not belong together.

use daemun::testing::crypto::jwt;
use daemun::testing::crypto::jwt::Claims;
use daemun::testing::sessions;
use daemun::testing::sessions::{IssuedTokens, RefreshError};
use rocket::http::Method;
use serde_json::{Value, json};

use crate::support::app::request_info;
use crate::support::{App, GOOD, NEW, Page, TestEnv, on_both};

/// What a site of another make keeps under our names.
const FOREIGN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2lnbmVkIGJ5IHNvbWVib2R5IGVsc2U";

/// Whether an answer touches the cookie of this name.
fn touches(page: &Page, name: &str) -> bool {
    page.all("set-cookie").iter().any(|set| set.starts_with(&format!("{name}=")))
}

/// Another site of ours on the same host name, on another port, with a secret and a database of its own.
async fn another_site(env: &TestEnv) -> App {
    let url = env.empty_database("other").await;
    let secret = "fedcba9876543210".repeat(4);
    env.app_with(&[
        ("database_url", &url),
        ("secret_key", &secret),
        ("public_url", "http://localhost:9000"),
    ])
    .await
}

/// The claims of a token, changed and signed as our own are.
fn signed_anew(app: &App, token: &str, is_access: bool, change: impl Fn(&mut Claims)) -> String {
    use base64::Engine as _;
    let body = token.split('.').nth(1).expect("three parts");
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).expect("base64url");
    let mut claims: Claims = serde_json::from_slice(&body).expect("claims");
    change(&mut claims);
    if is_access {
        let now = app.ctx.clock.now();
        jwt::sign(&claims, app.ctx.keyring().current(now).expect("a key"))
    } else {
        jwt::sign_with_secret(&claims, app.ctx.keys.refresh_token())
    }
}

fn of_session(app: &App, tokens: &IssuedTokens, other: &IssuedTokens, is_access: bool) -> String {
    let issued = if is_access { &tokens.access } else { &tokens.refresh };
    let jti = {
        use base64::Engine as _;
        let body = other.refresh.token.expose().split('.').nth(1).expect("three parts");
        let body =
            base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).expect("base64url");
        serde_json::from_slice::<Value>(&body).expect("claims")["jti"].clone()
    };
    signed_anew(app, issued.token.expose(), is_access, |claims| {
        claims.insert("sid".into(), json!(other.session.to_string()));
        if !is_access {
            claims.insert("jti".into(), jti.clone());
        }
    })
}

#[on_both]
async fn foreign_cookies_are_kept(env: TestEnv) {
    let app = env.app().await;
    let elsewhere = another_site(&env).await.session_of("eve").await;
    for (access, refresh) in [
        ("x", "x"),
        ("a.b.c", ".."),
        (FOREIGN, FOREIGN),
        (elsewhere.access.token.expose(), elsewhere.refresh.token.expose()),
        (&"x".repeat(4000), "null"),
    ] {
        let mut visitor = app.visitor();
        visitor.cookies.insert("access".into(), access.into());
        visitor.cookies.insert("refresh".into(), refresh.into());

        for (path, status) in
            [("/", 200), ("/account/login", 200), ("/account/mypage", 303), ("/nowhere", 404)]
        {
            let page = visitor.get(path).await;
            assert_eq!(page.status(), status, "{path}");
            assert!(!touches(&page, "access") && !touches(&page, "refresh"), "{path}");
        }
        visitor.logs_out().await;
        assert_eq!(visitor.cookie("access"), Some(access), "nobody was logged in");
        assert_eq!(visitor.cookie("refresh"), Some(refresh));
    }
}

#[on_both]
async fn foreign_cookies_do_not_interfere(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.cookies.insert("access".into(), FOREIGN.into());

    assert!(ada.is_signed_in().await, "by the refresh token that is ours");

    let mut ada = app.visitor();
    ada.cookies.insert("access".into(), FOREIGN.into());
    ada.cookies.insert("refresh".into(), FOREIGN.into());
    assert_eq!(ada.logs_in("ada@example.com", GOOD).await.status(), 303);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn a_password_reset_keeps_foreign_cookies(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut browser = app.visitor();
    browser.cookies.insert("access".into(), FOREIGN.into());
    browser.cookies.insert("refresh".into(), FOREIGN.into());
    browser.requests_password_reset("ada@example.com").await;
    let link = app.last_email_to("ada@example.com").await.link("/account/password/reset/");
    browser.get(&link).await;

    let answer = browser.sets_new_password("/account/password/new", NEW).await;

    assert_eq!(answer.location(), Some("/account/login"));
    assert_eq!(browser.cookie("access"), Some(FOREIGN));
    assert_eq!(browser.cookie("refresh"), Some(FOREIGN));
}

#[on_both]
async fn only_the_cookie_of_an_ended_session_is_removed(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut other = ada.clone();
    other.cookies.insert("refresh".into(), FOREIGN.into());
    ada.logs_out().await;

    let page = other.get("/").await;

    assert!(touches(&page, "access") && other.cookie("access").is_none());
    assert!(!touches(&page, "refresh") && other.cookie("refresh") == Some(FOREIGN));
}

#[on_both]
async fn of_two_cookies_with_one_name_ours_is_found(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let (access, refresh) = (&ada.cookies["access"], &ada.cookies["refresh"]);
    for cookies in [
        format!("access={FOREIGN}; access={access}"),
        format!("access={access}; access={FOREIGN}"),
        format!("access=; theme=dark;access={access}; access=x"),
        format!("refresh={FOREIGN}; refresh={refresh}; refresh={FOREIGN}"),
        format!("refresh={refresh}; access={FOREIGN}; refresh=x; access=x"),
    ] {
        let mut browser = app.visitor().with("Cookie", &cookies);
        assert!(browser.is_signed_in().await, "{cookies}");
    }
    for cookies in
        [format!("access={FOREIGN}; access={access}"), format!("access={access}; access={FOREIGN}")]
    {
        let mut program = app.visitor().with("Cookie", &cookies);
        assert_eq!(program.get("/api/account/user").await.status(), 200, "{cookies}");
        assert_eq!(program.get("/api/forward-auth").await.status(), 200, "{cookies}");
    }
    let many = format!("{}access={access}", format!("access={FOREIGN}; ").repeat(200));
    let page = app.visitor().with("Cookie", &many).get("/").await;
    assert_eq!(page.status(), 200, "the work for a heap of them is bounded");
}

#[on_both]
async fn the_api_finds_our_refresh_cookie_among_two(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let refresh = &ada.cookies["refresh"];

    let cookies = format!("refresh={refresh}; refresh={FOREIGN}");
    let program = app.visitor().with("Cookie", &cookies);
    let answer = program.sends_json("/api/account/token/refresh", "{}").await;

    assert_eq!(answer.status(), 200, "{}", answer.text());
}

#[on_both]
async fn a_token_must_match_its_sessions_user(env: TestEnv) {
    let app = env.app().await;
    let (ada, eve) = (app.session_of("ada").await, app.session_of("eve").await);

    let access = of_session(&app, &ada, &eve, true);
    let mut program = app.visitor().with("Authorization", &format!("Bearer {access}"));
    assert_eq!(program.get("/api/account/user").await.status(), 401);
    assert_eq!(program.get("/api/forward-auth").await.status(), 401);
    let mut browser = app.visitor();
    browser.cookies.insert("access".into(), access.clone());
    assert!(!browser.is_signed_in().await);
    // Also when the proof and the session are remembered.
    assert_eq!(program.get("/api/account/user").await.status(), 401);

    let refresh = of_session(&app, &ada, &eve, false);
    let renewed = sessions::refresh(&app.ctx, &refresh, &request_info()).await;
    assert!(matches!(renewed, Err(RefreshError::Token(_))), "{renewed:?}");
    assert!(sessions::check_token(&app.ctx, &refresh).await.is_err());
    let mut browser = app.visitor();
    browser.cookies.insert("refresh".into(), refresh.clone());
    assert!(!browser.is_signed_in().await);
    let body = json!({ "refresh": refresh }).to_string();
    for path in ["/api/token/blacklist", "/api/account/logout"] {
        app.visitor().sends_json(path, &body).await;
    }
    browser.send(Method::Get, "/", None).await;
    assert_eq!(app.active_session_count().await, 2, "nobody's session has ended");
    assert_eq!(
        app.audit_event_count("token_reused").await + app.audit_event_count("logged_out").await,
        0
    );
}

//! My page.

use crate::support::{GOOD, TestEnv, on_both};

#[on_both]
async fn it_greets_by_address_in_both_languages(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;

    let mut korean = ada.clone().with("Accept-Language", "ko");
    let mut english = ada.with("Accept-Language", "en");

    assert_eq!(korean.get("/account/mypage").await.h1(), "반갑습니다, ada@example.com님!");
    assert_eq!(english.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
}

#[on_both]
async fn an_address_with_markup_is_escaped(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor();
    ada.signs_up("o'hara+tag&co@example.com", GOOD).await;

    let page = ada.get("/account/mypage").await;

    assert_eq!(page.h1(), "Welcome, o'hara+tag&co@example.com!");
    assert!(page.text().contains("o&#39;hara+tag&#38;co@example.com"));
}

#[on_both]
async fn a_name_with_markup_is_escaped(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("eve").await;
    app.renames("eve", "<script>alert(1)</script>\"'&").await;
    app.ctx.cache.invalidate_user(daemun::testing::types::UserId(1));

    let page = eve.get("/account/mypage").await;

    assert!(page.texts("dd").contains(&"<script>alert(1)</script>\"'&".into()));
    assert!(page.texts("main script").is_empty());
}

#[on_both]
async fn a_visitor_is_sent_to_login_and_back(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();

    let answer = visitor.get("/account/mypage?tab=1").await;

    assert_eq!(answer.location(), Some("/account/login?next=%2Faccount%2Fmypage%3Ftab%3D1"));
    let login = visitor.get(answer.location().expect("a way")).await;
    let next = login.attribute("input[name=next]", "value");
    assert_eq!(next.as_deref(), Some("/account/mypage?tab=1"));
}

#[on_both]
async fn a_trailing_slash_is_the_same_page(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    assert_eq!(ada.get("/account/mypage/").await.status(), 200);
}

#[on_both]
async fn the_page_is_private_and_not_cached(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    assert_eq!(
        ada.get("/account/mypage").await.header("cache-control"),
        Some("no-store, no-transform")
    );
}

#[on_both]
async fn the_bearer_scheme_is_case_insensitive(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let access = ada.cookie("access").expect("signed in");

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let mut phone = app.visitor().with("Authorization", &format!("{scheme} {access}"));
        assert_eq!(phone.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    }
}

#[on_both]
async fn the_authorization_header_wins_over_the_cookie(env: TestEnv) {
    let app = env.app().await;
    app.user("eve").await;
    let ada = app.user("ada").await;
    let access = ada.cookie("access").expect("signed in").to_owned();
    let mut eve = app.visitor();
    eve.logs_in("eve@example.com", GOOD).await;

    let mut both = eve.clone().with("Authorization", &format!("Bearer {access}"));
    let mut bad = eve.with("Authorization", "Bearer rubbish");

    assert_eq!(both.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    assert_eq!(bad.get("/account/mypage").await.status(), 303);
}

#[on_both]
async fn a_refresh_token_is_not_an_access_token(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let refresh = ada.cookie("refresh").expect("signed in").to_owned();

    let mut bearer = app.visitor().with("Authorization", &format!("Bearer {refresh}"));
    let mut cookie = app.visitor();
    cookie.cookies.insert("access".into(), refresh);

    assert!(!bearer.is_signed_in().await);
    assert!(!cookie.is_signed_in().await);
}

#[on_both]
async fn an_access_token_is_not_a_refresh_token(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let mut eve = app.visitor();
    eve.cookies.insert("refresh".into(), ada.cookie("access").expect("signed in").into());

    assert!(!eve.is_signed_in().await);
}

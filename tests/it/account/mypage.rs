//! My page.

use crate::support::{GOOD, World, on_both};

#[on_both]
async fn it_greets_by_address_in_both_languages(world: World) {
    let app = world.app().await;
    let ada = app.person("ada").await;

    let mut korean = ada.clone().with("Accept-Language", "ko");
    let mut english = ada.with("Accept-Language", "en");

    assert_eq!(korean.get("/account/mypage").await.h1(), "반갑습니다, ada@example.com님!");
    assert_eq!(english.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
}

#[on_both]
async fn an_address_that_needs_escaping_is_escaped(world: World) {
    let app = world.app().await;
    let mut ada = app.visitor();
    ada.joins("o'hara+tag&co@example.com", GOOD).await;

    let page = ada.get("/account/mypage").await;

    assert_eq!(page.h1(), "Welcome, o'hara+tag&co@example.com!");
    assert!(page.text().contains("o&#39;hara+tag&#38;co@example.com"));
}

#[on_both]
async fn a_name_with_markup_is_shown_and_not_obeyed(world: World) {
    let app = world.app().await;
    let mut eve = app.person("eve").await;
    app.execute("UPDATE users SET name = '<script>alert(1)</script>\"''&'").await;
    app.ctx.cache.invalidate_user(daemun::types::UserId(1));

    let page = eve.get("/account/mypage").await;

    assert!(page.texts("dd").contains(&"<script>alert(1)</script>\"'&".into()));
    assert!(page.texts("main script").is_empty());
}

#[on_both]
async fn a_stranger_is_shown_the_way_in_and_back(world: World) {
    let app = world.app().await;
    let mut visitor = app.visitor();

    let answer = visitor.get("/account/mypage?tab=1").await;

    assert_eq!(answer.location(), Some("/account/login?next=%2Faccount%2Fmypage%3Ftab%3D1"));
    let login = visitor.get(answer.location().expect("a way")).await;
    let next = login.attribute("input[name=next]", "value");
    assert_eq!(next.as_deref(), Some("/account/mypage?tab=1"));
}

#[on_both]
async fn a_slash_at_the_end_is_the_same_place(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;

    assert_eq!(ada.get("/account/mypage/").await.status(), 200);
}

#[on_both]
async fn it_is_about_a_person_and_not_to_be_kept(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;

    assert_eq!(ada.get("/account/mypage").await.header("cache-control"), Some("no-store"));
}

#[on_both]
async fn a_bearer_token_opens_it_in_any_case_of_the_scheme(world: World) {
    let app = world.app().await;
    let ada = app.person("ada").await;
    let access = ada.cookie("access").expect("signed in");

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let mut phone = app.visitor().with("Authorization", &format!("{scheme} {access}"));
        assert_eq!(phone.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    }
}

#[on_both]
async fn a_header_wins_over_the_cookie(world: World) {
    let app = world.app().await;
    app.person("eve").await;
    let ada = app.person("ada").await;
    let access = ada.cookie("access").expect("signed in").to_owned();
    let mut eve = app.visitor();
    eve.logs_in("eve@example.com", GOOD).await;

    let mut both = eve.clone().with("Authorization", &format!("Bearer {access}"));
    let mut bad = eve.with("Authorization", "Bearer rubbish");

    assert_eq!(both.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    assert_eq!(bad.get("/account/mypage").await.status(), 303);
}

#[on_both]
async fn a_refresh_token_is_no_access_token(world: World) {
    let app = world.app().await;
    let ada = app.person("ada").await;
    let refresh = ada.cookie("refresh").expect("signed in").to_owned();

    let mut bearer = app.visitor().with("Authorization", &format!("Bearer {refresh}"));
    let mut cookie = app.visitor();
    cookie.cookies.insert("access".into(), refresh);

    assert!(!bearer.is_signed_in().await);
    assert!(!cookie.is_signed_in().await);
}

#[on_both]
async fn an_access_token_is_no_refresh_token(world: World) {
    let app = world.app().await;
    let ada = app.person("ada").await;
    let mut eve = app.visitor();
    eve.cookies.insert("refresh".into(), ada.cookie("access").expect("signed in").into());

    assert!(!eve.is_signed_in().await);
}

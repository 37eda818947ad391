//! Choosing a language.

use crate::support::{World, on_both};

#[on_both]
async fn the_chosen_language_is_remembered_and_one_stays_where_one_was(world: World) {
    let app = world.app().await;
    let mut visitor = app.visitor().with("Accept-Language", "en");

    let answer =
        visitor.submits("/language", &[("language", "ko"), ("next", "/account/join")]).await;

    assert_eq!(answer.location(), Some("/account/join"));
    assert_eq!(visitor.get("/account/join").await.language(), "ko");
    assert_eq!(visitor.get("/nowhere").await.h1(), "페이지를 찾을 수 없습니다");
}

#[on_both]
async fn on_an_https_site_no_neighbour_chooses_the_language(world: World) {
    let app = world.app_with(&[("public_url", "https://gate.example")]).await;
    let mut visitor = app.visitor().with("Accept-Language", "en");
    visitor.cookies.insert("language".into(), "ko".into());
    assert_eq!(visitor.get("/").await.language(), "ko", "a choice from before the prefix");

    visitor.submits("/language", &[("language", "en"), ("next", "/")]).await;

    assert_eq!(visitor.cookie("__Host-language"), Some("en"));
    assert_eq!(visitor.cookie("language"), Some("ko"), "it is left alone");
    assert_eq!(visitor.get("/").await.language(), "en", "the one with the prefix counts");
}

#[on_both]
async fn without_a_choice_the_browser_decides_and_then_english(world: World) {
    let app = world.app().await;
    for (accepted, language) in [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("fr", "en"), ("", "en")] {
        let mut visitor = app.visitor().with("Accept-Language", accepted);
        assert_eq!(visitor.get("/").await.language(), language, "{accepted}");
    }
}

#[on_both]
async fn a_language_that_we_do_not_speak_is_refused(world: World) {
    let app = world.app().await;
    let mut visitor = app.visitor();

    let answer = visitor.submits("/language", &[("language", "xx"), ("next", "/")]).await;

    assert_eq!(answer.status(), 422);
    assert!(visitor.cookie("language").is_none());
}

#[on_both]
async fn choosing_a_language_never_leads_off_the_site(world: World) {
    let app = world.app().await;

    let fields = [("language", "ko"), ("next", "//evil.example")];
    assert_eq!(app.visitor().submits("/language", &fields).await.location(), Some("/"));
}

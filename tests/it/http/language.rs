//! Choosing a language.

use crate::support::{TestEnv, on_both};

#[on_both]
async fn the_choice_is_remembered_and_returns_to_the_page(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor().with("Accept-Language", "en");

    let answer =
        visitor.submits("/language", &[("language", "ko"), ("next", "/account/join")]).await;

    assert_eq!(answer.location(), Some("/account/join"));
    assert_eq!(visitor.get("/account/join").await.language(), "ko");
    assert_eq!(visitor.get("/nowhere").await.h1(), "페이지를 찾을 수 없습니다");
}

#[on_both]
async fn the_https_language_cookie_is_bound_to_the_host(env: TestEnv) {
    let app = env.app_with(&[("public_url", "https://gate.example")]).await;
    let mut visitor = app.visitor().with("Accept-Language", "en");
    visitor.cookies.insert("language".into(), "ko".into());
    assert_eq!(visitor.get("/").await.language(), "ko", "a choice from before the prefix");

    visitor.submits("/language", &[("language", "en"), ("next", "/")]).await;

    assert_eq!(visitor.cookie("__Host-language"), Some("en"));
    assert_eq!(visitor.cookie("language"), Some("ko"), "it is left alone");
    assert_eq!(visitor.get("/").await.language(), "en", "the one with the prefix counts");
}

#[on_both]
async fn without_a_choice_the_browser_decides_then_english(env: TestEnv) {
    let app = env.app().await;
    for (accepted, language) in [("ko-KR,ko;q=0.9,en;q=0.8", "ko"), ("fr", "en"), ("", "en")] {
        let mut visitor = app.visitor().with("Accept-Language", accepted);
        assert_eq!(visitor.get("/").await.language(), language, "{accepted}");
    }
}

#[on_both]
async fn an_unknown_language_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();

    let answer = visitor.submits("/language", &[("language", "xx"), ("next", "/")]).await;

    assert_eq!(answer.status(), 422);
    assert!(visitor.cookie("language").is_none());
}

#[on_both]
async fn next_stays_on_the_site(env: TestEnv) {
    let app = env.app().await;

    let fields = [("language", "ko"), ("next", "//evil.example")];
    assert_eq!(app.visitor().submits("/language", &fields).await.location(), Some("/"));
}

//! Logging out.

use crate::support::{TestEnv, on_both};

#[on_both]
async fn logging_out_ends_the_session_on_every_node(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut stolen = ada.clone();

    let answer = ada.logs_out().await;

    assert_eq!(answer.location(), Some("/"));
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\", \"storage\""));
    assert!(ada.cookie("access").is_none() && ada.cookie("refresh").is_none());
    assert!(!stolen.is_signed_in().await, "neither by access nor by refresh token");
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM sessions WHERE ended_because = 'logged_out'").await,
        1
    );
}

#[on_both]
async fn the_page_after_logging_out_clears_site_data(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.logs_out().await;

    let page = ada.get("/").await;
    let forget = page.attribute("main ~ img[hidden]", "src").expect("one thing more to fetch");
    let answer = ada.get(&forget).await;

    assert_eq!(page.texts(".flash"), ["You're logged out."]);
    assert_eq!((answer.status(), answer.text().as_str()), (204, ""));
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(ada.get("/").await.attribute("img", "src"), None, "once is enough");
}

#[on_both]
async fn logging_out_twice_is_no_error(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.logs_out().await;

    assert_eq!(ada.logs_out().await.location(), Some("/"));
}

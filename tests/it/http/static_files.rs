//! Style, script and mark.

use std::io::Read as _;

use crate::support::{TestEnv, on_both};

#[on_both]
async fn static_files_have_hashed_names_and_are_cached(env: TestEnv) {
    let app = env.app().await;
    let page = app.visitor().get("/").await;
    let paths = [
        page.attribute("link[rel=stylesheet]", "href"),
        page.attribute("link[rel=icon]", "href"),
        page.attribute("script", "src"),
    ];
    let kinds = ["text/css", "image/svg+xml", "text/javascript"];
    for (path, kind) in paths.into_iter().zip(kinds) {
        let path = path.expect(kind);
        let file = app.visitor().get(&path).await;
        assert_eq!(file.status(), 200, "{path}");
        assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert!(file.header("content-type").expect(kind).starts_with(kind));
        assert!(file.all("set-cookie").is_empty(), "{path}");
    }
}

#[on_both]
async fn static_files_are_compressed_if_accepted(env: TestEnv) {
    let app = env.app().await;
    let path =
        app.visitor().get("/").await.attribute("link[rel=stylesheet]", "href").expect("a path");
    let plain = app.visitor().get(&path).await;
    assert_eq!(plain.header("content-encoding"), None);

    let small = app.visitor().with("Accept-Encoding", "br, gzip").get(&path).await;

    assert_eq!(small.header("content-encoding"), Some("gzip"));
    assert!(small.bytes().len() < plain.bytes().len() / 2);
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(small.bytes()).read_to_end(&mut text).expect("gzip");
    assert_eq!(text, plain.bytes());
    let refused = app.visitor().with("Accept-Encoding", "gzip;q=0").get(&path).await;
    assert_eq!(refused.header("content-encoding"), None);
}

#[on_both]
async fn other_files_cannot_be_reached(env: TestEnv) {
    let app = env.app().await;
    for path in [
        "/static/",
        "/static/app.css",
        "/static/../Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/%2e%2e%2fCargo.toml",
        "/static/....//Cargo.toml",
        "/static/app.css%00",
        "/static/C:%5cwindows%5cwin.ini",
        "/static/.env",
        "/static//etc/passwd",
    ] {
        let status = app.visitor().get(path).await.status();
        assert_eq!(status, 404, "{path}");
    }
}

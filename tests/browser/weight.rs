//! What a page costs those who open it, counted by the browser that opened it.

use std::path::Path;

use serde_json::Value;

use crate::support::{run_test, walk};

/// A page with its style sheet, over the wire.
const MOST_BYTES: u64 = 30_000;

/// What was fetched for this page: where from, how many bytes, and whether painting waited for it.
const FETCHED: &str = "
    const entry = it => [it.name, it.transferSize, it.renderBlockingStatus === 'blocking'];
    const page = performance.getEntriesByType('navigation')[0];
    return [entry(page), ...performance.getEntriesByType('resource').map(entry)];
";

type Fetched = (String, u64, bool);

fn is_light(page: &str, origin: &str, fetched: &[Fetched]) {
    for (url, bytes, _) in fetched {
        assert!(url.starts_with(origin), "{page} asks another host: {url}");
        assert_ne!(*bytes, 0, "{page} was not measured: {url}");
    }
    let blocking: Vec<_> =
        fetched.iter().skip(1).filter(|(.., is_blocking)| *is_blocking).collect();
    let [(style, weight, _)] = blocking.as_slice() else {
        panic!("{page} paints after more than two requests: {fetched:?}");
    };
    let is_style = Path::new(style).extension().is_some_and(|kind| kind == "css");
    assert!(is_style, "{page} waits for {style}");
    let weight = fetched[0].1 + weight;
    assert!(weight <= MOST_BYTES, "{page} weighs {weight} bytes");
}

#[test]
fn every_page_is_light() {
    run_test(true, async |env| {
        walk(env, "ko", async |user, page| {
            let fetched = user.runs(FETCHED, Value::Null).await;
            let fetched: Vec<Fetched> = serde_json::from_value(fetched).expect("what was fetched");
            is_light(page, &user.origin(), &fetched);
            user.remembers_nothing().await;
        })
        .await;
    });
}

#[test]
fn the_style_sheet_is_small() {
    let style = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("static/app.css");
    let bytes = std::fs::metadata(style).expect("a style sheet").len();
    assert!(bytes < 16 * 1024, "it has {bytes} bytes");
}

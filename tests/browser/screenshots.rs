//! Every page as a picture, for eyes: in `target/screenshots/`, by language, theme and width.
//!
//! A usual run takes the pictures of one such combination, which shows that every page can be taken;
//! with `DAEMUN_SCREENSHOTS=all` it takes all eight.

use std::path::{Path, PathBuf};

use crate::support::{User, environment, run_test, walk};

/// How a PNG begins (RFC 2083, 3.1).
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots")
}

fn wants_all() -> bool {
    environment("DAEMUN_SCREENSHOTS").is_some_and(|wanted| wanted == "all")
}

/// The name of a page as the name of a file, with its place on the walk.
fn file(place: usize, page: &str) -> String {
    let words = page.split(|sign: char| !sign.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("{place:03}-{}.png", if words.is_empty() { "home".into() } else { words.join("-") })
}

async fn is_taken(user: &User<'_>, path: &Path) {
    let picture = user.whole_picture().await;
    assert!(picture.starts_with(PNG), "{}", path.display());
    std::fs::write(path, picture).expect("a file");
}

fn everything_is_taken(language: &'static str, themes: &[&str], widths: &[u32]) {
    run_test(true, async |env| {
        let mut place = 0;
        walk(env, language, async |user, page| {
            place += 1;
            user.hides_scrollbars().await;
            for theme in themes {
                user.prefers(theme).await;
                for width in widths {
                    user.has_a_window_of(*width).await;
                    let folder = folder().join(format!("{language}-{theme}-{width}"));
                    std::fs::create_dir_all(&folder).expect("a folder");
                    is_taken(user, &folder.join(file(place, page))).await;
                }
            }
        })
        .await;
        assert!(place > 90, "the pages were found");
    });
}

#[test]
fn every_page_can_be_shown() {
    if wants_all() {
        for language in ["ko", "en"] {
            everything_is_taken(language, &["light", "dark"], &[1280, 390]);
        }
    } else {
        everything_is_taken("ko", &["light"], &[390]);
    }
}

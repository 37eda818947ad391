//! What browser tests share: a site for each test, and users with real browsers.

mod chromium;
#[path = "../../machine/requirement/mod.rs"]
pub(crate) mod requirement;
mod site;
mod tour;
mod user;

use std::future::Future;
use std::time::Instant;

pub(crate) use chromium::BrowserOptions;
pub(crate) use requirement::environment;
pub(crate) use site::{PATIENCE, Site};
pub(crate) use test_macros::with_and_without_scripts;
pub(crate) use tour::walk;
pub(crate) use user::User;

/// A password that no policy refuses.
pub(crate) const GOOD: &str = "correct horse battery staple";

/// Another one.
pub(crate) const NEW: &str = "quiet evening by the river";

/// The environment of one test: how its browsers are set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestEnv {
    pub(crate) has_scripts: bool,
}

impl TestEnv {
    /// A user who reads English, in a browser of their own.
    pub(crate) async fn visitor<'a>(&self, site: &'a Site) -> User<'a> {
        self.reader_of("en", site).await
    }

    pub(crate) async fn reader_of<'a>(&self, language: &'static str, site: &'a Site) -> User<'a> {
        User::comes_to(site, BrowserOptions { language, has_scripts: self.has_scripts }).await
    }
}

/// Runs a test, where there is a browser.
pub(crate) fn run_test<S>(has_scripts: bool, test: impl FnOnce(TestEnv) -> S)
where
    S: Future<Output = ()>,
{
    if !chromium::is_here() {
        return;
    }
    // A browser is closed where its user is dropped; that blocks this thread, and connections go
    // on living on the other.
    let mut runtime = rocket::tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(test(TestEnv { has_scripts }));
}

/// Looks until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < PATIENCE, "it never happens: {what}");
        rocket::tokio::task::yield_now().await;
    }
}

//! What tests share: an environment with a clock, users with browsers, and pages that can be questioned.

pub(crate) mod api_client;
pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod cluster;
pub(crate) mod disk_faults;
pub(crate) mod env;
pub(crate) mod exchange;
mod fixtures;
pub(crate) mod hashing_queue;
pub(crate) mod log_lines;
pub(crate) mod mailbox;
pub(crate) mod page;
mod personas;
pub(crate) mod pgbouncer;
pub(crate) mod postgres;
pub(crate) mod postgres_proxy;
pub(crate) mod process;
pub(crate) mod provider;
#[path = "../../machine/requirement/mod.rs"]
pub(crate) mod requirement;
pub(crate) mod smtp;

pub(crate) use api_client::{ApiClient, ApiReply};
pub(crate) use app::App;
pub(crate) use browser::Browser;
pub(crate) use env::{TestEnv, run_test};
pub(crate) use fixtures::StoredUser;
pub(crate) use page::Page;
pub(crate) use test_macros::on_both;

/// A password that no policy refuses.
pub(crate) const GOOD: &str = "correct horse battery staple";

/// Another one.
pub(crate) const NEW: &str = "quiet evening by the river";

/// How many times as long the campaigns against the program run: `DAEMUN_TEST_ROUNDS`, or once.
///
/// # Panics
/// Where it is no number: a campaign that is shorter than it seems shows less than it seems.
pub(crate) fn rounds() -> u32 {
    let asked = requirement::environment("DAEMUN_TEST_ROUNDS");
    asked.map_or(1, |asked| {
        asked.to_str().and_then(|it| it.parse().ok()).expect("DAEMUN_TEST_ROUNDS is a number")
    })
}

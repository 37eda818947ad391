//! The test language: a world with a clock, people with browsers, and pages that can be questioned.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod cluster;
pub(crate) mod faults;
pub(crate) mod jam;
pub(crate) mod log_lines;
pub(crate) mod mailbox;
mod office;
pub(crate) mod page;
pub(crate) mod pgbouncer;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod provider;
#[path = "../../machine/requirement/mod.rs"]
pub(crate) mod requirement;
pub(crate) mod smtp;
pub(crate) mod vanishing;
pub(crate) mod wire;
pub(crate) mod world;

pub(crate) use app::App;
pub(crate) use browser::Browser;
pub(crate) use page::Page;
pub(crate) use program::{Program, Reply};
pub(crate) use test_macros::on_both;
pub(crate) use world::{World, tell};

/// A password that no policy refuses.
pub(crate) const GOOD: &str = "correct horse battery staple";

/// Another one.
pub(crate) const NEW: &str = "quiet evening by the river";

/// How many times as long the campaigns against the program run: `DAEMUN_TEST_ROUNDS`, or once.
///
/// # Panics
/// Where it is no number: a campaign that is shorter than it seems proves less than it seems.
pub(crate) fn rounds() -> u32 {
    let asked = requirement::environment("DAEMUN_TEST_ROUNDS");
    asked.map_or(1, |asked| {
        asked.to_str().and_then(|it| it.parse().ok()).expect("DAEMUN_TEST_ROUNDS is a number")
    })
}

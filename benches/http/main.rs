//! How fast the program is, measured from outside: `cargo bench --bench http`.
//!
//! Starts the release server on a temporary SQLite file with 100,000 accounts, drives it over
//! loopback, prints a table and writes the same to `target/bench/http.json`. A missed target is
//! said and is no failure; a wrong answer is one. `docs/PERFORMANCE.md` says what each figure means.

mod argon;
mod client;
mod load;
mod machine;
mod measurements;
#[expect(dead_code, reason = "other benches measure on two engines")]
mod outcome;
mod report;
#[expect(dead_code, reason = "the bench of the pages of staff looks at a peak of its own")]
mod server;
mod site;
mod stages;
mod targets;
mod users;

use std::process::ExitCode;

use machine::Watch;
use report::Report;
use site::Site;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches too, without this flag; two minutes are no test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let site = Site::with_users(None);
    let watch = Watch::start();
    let report = Report {
        ready: stages::start(&site),
        pages: stages::pages(&site),
        log_in: stages::log_in(&site),
        crowd: stages::crowd(&site),
        strength_check: stages::strength_check(&site),
        memory: stages::memory(&site),
        others: watch.others(),
    };
    report.publish();
    if report.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

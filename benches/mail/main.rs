//! How e-mails travel, measured from outside: `cargo bench --bench mail`.
//!
//! Starts the release server on a temporary SQLite file, asks it for reset links to addresses that
//! have an account and to others, and has it send 10,000 e-mails that wait to a mail server that takes
//! everything. Prints a table and writes the same to `target/bench/mail.json`. A wrong answer is a
//! failure. `docs/PERFORMANCE.md` says what each figure means.

#[path = "../http/client.rs"]
mod client;
#[path = "../http/machine.rs"]
mod machine;
#[expect(dead_code, reason = "other benches measure on two engines")]
#[path = "../http/outcome.rs"]
mod outcome;
mod queue;
mod report;
mod requests;
#[expect(dead_code, reason = "the other bench asks for more")]
#[path = "../http/server.rs"]
mod server;
mod sink;
mod site;
#[path = "../admin/tools.rs"]
mod tools;

use std::process::ExitCode;

use machine::Watch;
use report::Report;
use sink::Sink;
use site::Site;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches too, without this flag; half a minute is no test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let sink = Sink::opens();
    let site = Site::of(&sink);
    let watch = Watch::start();
    let report = Report {
        requests: requests::measure(&site),
        queue: queue::measure(&site, &sink),
        others: watch.others(),
    };
    report.publish();
    ExitCode::SUCCESS
}

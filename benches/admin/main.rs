//! How fast the pages of staff are, measured from outside: `cargo bench --bench admin`.
//!
//! Starts the release server on sites of 1,000, 100,000 and 1,000,000 users, on a temporary SQLite
//! file and on a throw-away PostgreSQL cluster, asks for the list of users in every way, and takes
//! the whole list as CSV. Prints a table and writes the same to `target/bench/admin.json`. A missed
//! target is said and is no failure; a wrong answer is one. `docs/PERFORMANCE.md` says what each
//! figure means.

#[path = "../http/client.rs"]
mod client;
#[path = "../../tests/it/support/cluster.rs"]
mod cluster;
mod csv;
#[path = "../http/machine.rs"]
mod machine;
mod others;
#[path = "../http/outcome.rs"]
mod outcome;
mod pages;
#[path = "../../tests/machine/requirement/postgres.rs"]
mod postgres;
mod report;
#[expect(dead_code, reason = "the other bench asks for more")]
#[path = "../http/server.rs"]
mod server;
mod site;
mod staff;
#[expect(dead_code, reason = "the other bench asks for more")]
#[path = "../http/targets.rs"]
mod targets;
mod tools;
mod users;

use std::process::ExitCode;

use cluster::Cluster;
use others::Watch;
use report::{Report, Table};
use site::{Engine, Site};

/// How many users each site has, fewest first.
const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches too, without this flag; minutes are no test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    // Its own settings are left as they come: commits are on disk, and memory is modest. Its locale
    // is one that knows the characters of all scripts, as that of every PostgreSQL in production does.
    let cluster = postgres::binaries().map(|found| Cluster::start(&found, "C.UTF-8", ""));
    let engines = [Some(Engine::Sqlite), cluster.as_ref().map(Engine::Postgres)];
    let tables = engines.into_iter().flatten().map(|engine| measure(engine, cluster.as_ref()));
    let report = Report { tables: tables.collect() };
    report.publish();
    ExitCode::SUCCESS
}

/// All sites of an engine, one after the other; each is gone before the next is made.
fn measure(engine: Engine<'_>, cluster: Option<&Cluster>) -> Table {
    let mut table = Table::of(engine);
    for users in SIZES {
        let site = Site::with(users, engine);
        let watch = Watch::start(cluster);
        let server = site.serve();
        let staff = server.log_in();
        table.pages.push(pages::measure(&server, &staff, users));
        table.lists.push(csv::measure(&server, &staff, users));
        drop(server);
        table.others.push(watch.others());
    }
    table
}

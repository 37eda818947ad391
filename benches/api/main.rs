//! How fast the JSON API is, measured from outside: `cargo bench --bench api`.
//!
//! Starts the release server with 100,000 accounts, on a temporary SQLite file and on a throw-away
//! PostgreSQL cluster, and drives it over loopback as apps and proxies do. Prints a table for each and
//! writes the same to `target/bench/api.json`. A missed target is reported and is no failure; a wrong
//! answer is one. `docs/PERFORMANCE.md` says what each figure means.

mod api_clients;
#[path = "../http/argon.rs"]
mod argon;
#[path = "../http/client.rs"]
mod client;
#[path = "../../tests/it/support/cluster.rs"]
mod cluster;
#[path = "../http/load.rs"]
mod load;
#[path = "../http/machine.rs"]
mod machine;
#[path = "../http/measurements.rs"]
mod measurements;
#[path = "../admin/others.rs"]
mod others;
#[path = "../http/outcome.rs"]
mod outcome;
#[path = "../../tests/machine/requirement/postgres.rs"]
mod postgres;
mod report;
#[expect(dead_code, reason = "the other bench looks at memory and at the start")]
#[path = "../http/server.rs"]
mod server;
#[path = "../http/site.rs"]
mod site;
mod stages;
#[expect(dead_code, reason = "the other bench has targets below something")]
#[path = "../http/targets.rs"]
mod targets;
#[expect(dead_code, reason = "the other bench drives browsers")]
#[path = "../http/users.rs"]
mod users;

use std::process::ExitCode;

use cluster::Cluster;
use others::Watch;
use report::{Report, Table};
use site::Site;

fn main() -> ExitCode {
    // `cargo test --all-targets` runs benches too, without this flag; minutes are no test.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    // Its own settings are left as they come, so that commits are on disk.
    let cluster = postgres::binaries().map(|found| Cluster::start(&found, "C.UTF-8", ""));
    let postgres = cluster.as_ref().map(|cluster| {
        client::runtime().block_on(cluster.execute("CREATE DATABASE site"));
        cluster.url("site")
    });
    let mut tables = vec![measure("SQLite", None, cluster.as_ref())];
    if postgres.is_some() {
        tables.push(measure("PostgreSQL", postgres, cluster.as_ref()));
    }
    let report = Report { tables };
    report.publish();
    if report.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(engine: &'static str, database_url: Option<String>, cluster: Option<&Cluster>) -> Table {
    let site = Site::with_users(database_url);
    let watch = Watch::start(cluster);
    let calls = stages::calls(&site);
    let tokens = stages::tokens(&site);
    Table { engine, calls, tokens, others: watch.others() }
}

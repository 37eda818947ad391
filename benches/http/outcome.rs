//! What is common to the reports of all benches: where they go, and whether to trust them.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Above so many cores in other hands the figures are not to be trusted.
const QUIET: f64 = 0.1;

/// Prints tables, and writes the same figures to `target/bench/<name>.json`.
#[expect(clippy::print_stdout, reason = "the tables are what the program is for")]
pub(crate) fn publish(name: &str, tables: &[String], figures: &Value) {
    for table in tables {
        println!("{table}\n");
    }
    println!("Also in target/bench/{name}.json.");
    keep(name, figures);
}

/// The table of each engine, or loudly that one is not there.
pub(crate) fn of_engines(mut tables: Vec<String>) -> Vec<String> {
    if tables.len() == 1 {
        let missing =
            "POSTGRESQL IS MISSING: initdb is not on this machine; nothing was measured on it.";
        tables.push(missing.to_owned());
    }
    tables
}

fn keep(name: &str, figures: &Value) {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = temporary.parent().expect("it lies in the target folder").join("bench");
    fs::create_dir_all(&folder).expect("the target folder is ours");
    let file = folder.join(name).with_extension("json");
    fs::write(file, format!("{figures:#}\n")).expect("so is this");
}

/// Whether other programs used the machine meanwhile, in cores.
pub(crate) fn noise(others: Option<f64>) -> String {
    match others {
        Some(cores) if cores > QUIET => {
            format!("NOISE: other programs used {cores:.2} cores; run it again in quiet")
        }
        Some(cores) => format!("quiet: other programs used {cores:.2} cores"),
        None => "what other programs used is not known".to_owned(),
    }
}

//! What a run has found: a table for each engine, the same as JSON, and the targets.

use serde_json::{Value, json};

use crate::SIZES;
use crate::csv::List;
use crate::outcome::{noise, of_engines, publish};
use crate::pages::Page;
use crate::site::Engine;
use crate::targets::Target;

/// How many times as long a page may take with the most users as with the fewest.
const TIMES: f64 = 2.0;

/// How long it may take among the most.
const MILLISECONDS: f64 = 10.0;

/// How much more memory the longest list may take than the shortest, in megabytes: what an allocator
/// keeps for itself.
const MEGABYTES: f64 = 10.0;

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) tables: Vec<Table>,
}

/// What was measured on an engine, size by size.
pub(crate) struct Table {
    engine: &'static str,
    pub(crate) pages: Vec<Vec<Page>>,
    pub(crate) lists: Vec<List>,
    /// Cores that other programs used meanwhile.
    pub(crate) others: Vec<Option<f64>>,
}

impl Report {
    /// Prints the tables, and writes the JSON to `target/bench/admin.json`.
    pub(crate) fn publish(&self) {
        let tables = self.tables.iter().map(|table| table.lines().join("\n"));
        publish("admin", &of_engines(tables.collect()), &self.json());
    }

    fn json(&self) -> Value {
        json!({
            "people": SIZES,
            "engines": self.tables.iter().map(Table::json).collect::<Vec<_>>(),
        })
    }
}

impl Table {
    pub(crate) fn of(engine: Engine<'_>) -> Self {
        let engine = engine.name();
        Self { engine, pages: Vec::new(), lists: Vec::new(), others: Vec::new() }
    }

    /// Each page on all sites, fewest users first.
    fn rows(&self) -> impl Iterator<Item = Vec<&Page>> {
        let rows = self.pages.first().map_or(0, Vec::len);
        (0..rows).map(|row| self.pages.iter().map(|pages| &pages[row]).collect())
    }

    fn lines(&self) -> Vec<String> {
        let sizes = SIZES.map(|size| format!("{:>18}", format!("{size} users"))).concat();
        let columns = format!("{:>10}{:>8}", "p50 ms", "p99").repeat(SIZES.len());
        let mut lines = vec![
            format!("{:<28}{sizes}", self.engine),
            format!("{:<28}{columns}{:>8}", "", "ratio"),
        ];
        lines.extend(self.rows().map(|row| {
            let figures =
                row.iter().map(|page| format!("{:>10.2}{:>8.2}", page.median(), page.p99()));
            format!("{:<28}{}{:>8.2}", row[0].name, figures.collect::<String>(), ratio(&row))
        }));
        lines.extend(self.lines_of_lists());
        lines.extend(SIZES.into_iter().zip(&self.others).map(noise_of));
        lines.extend(self.targets().iter().map(Target::line));
        lines
    }

    fn lines_of_lists(&self) -> [String; 3] {
        let line = |name: &str, figure: fn(&List) -> Option<f64>| {
            let figures = self.lists.iter().map(|list| match figure(list) {
                Some(figure) => format!("{figure:>18.0}"),
                None => format!("{:>18}", "not known"),
            });
            format!("{name:<28}{}", figures.collect::<String>())
        };
        [
            line("CSV, rows a second", |list| Some(list.rate())),
            line("CSV, MB at most", |list| list.memory.map(|(_, peak)| peak)),
            line("CSV, MB more than before", List::grown),
        ]
    }

    fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        // The floor is no page of staff.
        for row in self.rows().skip(1) {
            let name = row[0].name;
            let most = row.last().map(|page| page.median());
            let (times, ms) = (format!("{name}, times as long"), format!("{name}, ms"));
            targets.push(Target::below(&times, Some(ratio(&row)), TIMES));
            targets.push(Target::below(&ms, most, MILLISECONDS));
        }
        let grown = |list: Option<&List>| list.and_then(List::grown);
        let (fewest, most) = (grown(self.lists.first()), grown(self.lists.last()));
        let more = most.zip(fewest).map(|(most, fewest)| most - fewest);
        let promise = "CSV, MB more for the longest list";
        targets.push(Target::below(promise, more, MEGABYTES));
        targets
    }

    fn json(&self) -> Value {
        let pages = self.rows().map(|row| {
            json!({
                "name": row[0].name,
                "p50_ms": row.iter().map(|page| page.median()).collect::<Vec<_>>(),
                "p99_ms": row.iter().map(|page| page.p99()).collect::<Vec<_>>(),
                "ratio": ratio(&row),
            })
        });
        json!({
            "name": self.engine,
            "pages": pages.collect::<Vec<_>>(),
            "csv_rows_per_second": self.lists.iter().map(List::rate).collect::<Vec<_>>(),
            "csv_memory_mb": self.lists.iter().map(|list| list.memory).collect::<Vec<_>>(),
            "cores_used_by_others": self.others,
            "targets": self.targets().iter().map(Target::json).collect::<Vec<_>>(),
        })
    }
}

/// How many times as long a page takes with the most users as with the fewest.
fn ratio(row: &[&Page]) -> f64 {
    let of = |page: Option<&&Page>| page.map_or(f64::NAN, |page| page.median());
    of(row.last()) / of(row.first())
}

fn noise_of((users, others): (u32, &Option<f64>)) -> String {
    format!("{users} people, {}", noise(*others))
}

//! What a run has found: the table for readers, the same as JSON, and the targets.

use std::time::Duration;

use serde_json::{Value, json};

use crate::measurements::Subject;
use crate::outcome::{noise, publish};
use crate::server::Memory;
use crate::targets::{Target, median, milliseconds, range};
use crate::users::USERS;

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) ready: Vec<Duration>,
    pub(crate) pages: Pages,
    pub(crate) log_in: LogIns,
    pub(crate) crowd: Crowd,
    /// The dearest passwords, weighed.
    pub(crate) strength_check: Subject,
    pub(crate) memory: MemoryUse,
    /// Cores that other programs used meanwhile.
    pub(crate) others: Option<f64>,
}

/// The pages, and the floor under them.
pub(crate) struct Pages {
    pub(crate) is_pinned: bool,
    pub(crate) live: Subject,
    pub(crate) home: Subject,
    pub(crate) my_page: Subject,
    pub(crate) token_refresh: Subject,
}

/// Log-ins, and hashes per second without a server: on one core, and on all at once.
pub(crate) struct LogIns {
    pub(crate) cores: usize,
    pub(crate) one: Vec<f64>,
    pub(crate) all: Vec<f64>,
    pub(crate) log_in: Subject,
}

/// My page without and with users who wait for their log-in.
pub(crate) struct Crowd {
    pub(crate) alone: Subject,
    pub(crate) beside: Subject,
    pub(crate) log_in: Subject,
}

/// What the server held: just started, and after long queues.
pub(crate) struct MemoryUse {
    pub(crate) idle: Option<Memory>,
    pub(crate) used: Option<Memory>,
    pub(crate) log_in: Subject,
}

impl Report {
    /// How many answers were wrong.
    pub(crate) fn errors(&self) -> u32 {
        self.subjects().iter().map(|(subject, _)| subject.errors()).sum()
    }

    /// Prints the table, and writes the JSON to `target/bench/http.json`.
    pub(crate) fn publish(&self) {
        publish("http", &[self.table()], &self.json());
    }

    fn table(&self) -> String {
        let mut lines = vec![self.conditions(), String::new(), Subject::heading()];
        lines.extend(self.subjects().iter().map(|(subject, ratio)| subject.line(*ratio)));
        lines.push(String::new());
        lines.extend(self.facts());
        lines.push(String::new());
        lines.extend(self.targets().iter().map(Target::line));
        lines.extend(self.subjects().iter().flat_map(|(subject, _)| subject.error_texts()));
        lines.join("\n")
    }

    fn conditions(&self) -> String {
        let cores = self.log_in.cores;
        let pages = if self.pages.is_pinned {
            "the first four: server pinned to one core, load to another"
        } else {
            "nothing is pinned, so the first four share cores with the load"
        };
        format!("{USERS} accounts, {cores} cores; {pages}; the rest: all cores for both")
    }

    /// Each subject, with its ratio to what limits it.
    fn subjects(&self) -> [(&Subject, Option<f64>); 10] {
        let (pages, crowd) = (&self.pages, &self.crowd);
        let of_floor = |subject: &Subject| Some(subject.ratio_to(&pages.live.rates()));
        [
            (&pages.live, of_floor(&pages.live)),
            (&pages.home, of_floor(&pages.home)),
            (&pages.my_page, of_floor(&pages.my_page)),
            (&pages.token_refresh, of_floor(&pages.token_refresh)),
            (&self.log_in.log_in, Some(self.log_in.log_in.ratio_to(&self.log_in.all))),
            (&crowd.alone, None),
            (&crowd.beside, None),
            (&crowd.log_in, None),
            (&self.strength_check, None),
            (&self.memory.log_in, None),
        ]
    }

    fn facts(&self) -> [String; 4] {
        let (one, all) = (&self.log_in.one, &self.log_in.all);
        let ready: Vec<_> = self.ready.iter().copied().map(milliseconds).collect();
        let held = |memory: Option<f64>| match memory {
            Some(megabytes) => format!("{megabytes:.1} MB"),
            None => "not known".to_owned(),
        };
        let [idle, waiting, after] = self.memory.megabytes().map(held);
        [
            format!(
                "argon2 alone: {:.1} a second on one core, {:.1} on all",
                median(one),
                median(all)
            ),
            format!("start to ready: {:.0} ms {}", median(&ready), range(&ready)),
            format!("memory: {idle} idle, {waiting} at most in the long queue, {after} after it"),
            noise(self.others),
        ]
    }

    fn targets(&self) -> [Target; 7] {
        let (pages, log_in, crowd) = (&self.pages, &self.log_in, &self.crowd);
        let ready: Vec<_> = self.ready.iter().copied().map(milliseconds).collect();
        let slower = crowd.beside.percentile(99) / crowd.alone.percentile(99);
        let [idle, waiting, _] = self.memory.megabytes();
        [
            Target::at_least("My page / floor", pages.my_page.ratio_to(&pages.live.rates()), 0.6),
            Target::at_least(
                "log-in / argon2 on all cores",
                log_in.log_in.ratio_to(&log_in.all),
                0.9,
            ),
            Target::below("p99 of My page beside 200 log-ins / alone", Some(slower), 5.0),
            Target::below(
                "CPU ms to weigh the dearest password",
                self.strength_check.cost().map(|microseconds| microseconds / 1000.0),
                10.0,
            ),
            Target::below("MB idle", idle, 40.0),
            Target::below("MB with 500 log-ins waiting", waiting, 120.0),
            Target::below("ms from start to ready", Some(median(&ready)), 300.0),
        ]
    }

    fn json(&self) -> Value {
        let subjects = self.subjects();
        let subjects = subjects.iter().map(|(subject, ratio)| subject.json(*ratio));
        let [idle, waiting, after] = self.memory.megabytes();
        let log_in = &self.log_in;
        json!({
            "accounts": USERS,
            "cores": log_in.cores,
            "cores_used_by_others": self.others,
            "pages_pinned": self.pages.is_pinned,
            "subjects": subjects.collect::<Vec<_>>(),
            "argon2_per_second": { "one_core": log_in.one, "all_cores": log_in.all },
            "ready_ms": self.ready.iter().copied().map(milliseconds).collect::<Vec<_>>(),
            "memory_mb": { "idle": idle, "waiting": waiting, "after": after },
            "targets": self.targets().iter().map(Target::json).collect::<Vec<_>>(),
        })
    }
}

impl MemoryUse {
    /// Idle, the maximum while users wait, and afterwards.
    fn megabytes(&self) -> [Option<f64>; 3] {
        [
            self.idle.map(|memory| memory.resident),
            self.used.map(|memory| memory.peak),
            self.used.map(|memory| memory.resident),
        ]
    }
}

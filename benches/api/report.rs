//! What a run has found: a table for each engine, the same as JSON, and the targets.

use serde_json::{Value, json};

use crate::measurements::Subject;
use crate::outcome::{noise, of_engines, publish};
use crate::targets::{Target, median};
use crate::users::USERS;

/// Everything that was measured.
pub(crate) struct Report {
    pub(crate) tables: Vec<Table>,
}

/// What was measured on an engine.
pub(crate) struct Table {
    pub(crate) engine: &'static str,
    pub(crate) calls: Calls,
    pub(crate) tokens: NewTokens,
    /// Cores that other programs used meanwhile.
    pub(crate) others: Option<f64>,
}

/// What is asked for again and again. The first is the floor.
pub(crate) struct Calls {
    pub(crate) is_pinned: bool,
    pub(crate) asked: [Subject; 5],
    pub(crate) refresh: Subject,
}

/// Tokens for a password, and hashes per second on all cores without a server.
pub(crate) struct NewTokens {
    pub(crate) hashes: Vec<f64>,
    pub(crate) obtain: Subject,
}

impl Report {
    /// How many answers were wrong.
    pub(crate) fn errors(&self) -> u32 {
        let subjects = self.tables.iter().flat_map(Table::subjects);
        subjects.map(|(subject, _)| subject.errors()).sum()
    }

    /// Prints the tables, and writes the JSON to `target/bench/api.json`.
    pub(crate) fn publish(&self) {
        let tables = self.tables.iter().map(|table| table.lines().join("\n"));
        let engines = self.tables.iter().map(Table::json).collect::<Vec<_>>();
        let figures = json!({ "accounts": USERS, "engines": engines });
        publish("api", &of_engines(tables.collect()), &figures);
    }
}

impl Table {
    /// Each subject, with its ratio to what limits it.
    fn subjects(&self) -> Vec<(&Subject, f64)> {
        let (calls, tokens) = (&self.calls, &self.tokens);
        let floor = calls.asked[0].rates();
        let calls = calls.asked.iter().chain([&calls.refresh]);
        let mut all: Vec<_> = calls.map(|subject| (subject, subject.ratio_to(&floor))).collect();
        all.push((&tokens.obtain, tokens.obtain.ratio_to(&tokens.hashes)));
        all
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.conditions(), Subject::heading()];
        lines.extend(self.subjects().iter().map(|(it, ratio)| it.line(Some(*ratio))));
        lines.push(format!(
            "argon2 alone on all cores: {:.1} a second",
            median(&self.tokens.hashes)
        ));
        lines.push(noise(self.others));
        lines.extend(self.targets().iter().map(Target::line));
        lines.extend(self.subjects().iter().flat_map(|(subject, _)| subject.error_texts()));
        lines
    }

    fn conditions(&self) -> String {
        let engine = self.engine;
        let pinned = if self.calls.is_pinned {
            "server pinned to one core, load to another"
        } else {
            "nothing is pinned, so the server shares cores with the load"
        };
        format!("{engine}, {USERS} accounts; {pinned}; the last: all cores for both")
    }

    /// The Django stack renews 350 tokens a second on SQLite, and 195 on PostgreSQL.
    fn targets(&self) -> [Target; 3] {
        let [live, verify, forward_auth, ..] = &self.calls.asked;
        let (floor, refresh) = (live.rates(), median(&self.calls.refresh.rates()));
        let token_refreshes = if self.engine == "SQLite" { 1_500.0 } else { 1_000.0 };
        [
            Target::at_least("verify / floor", verify.ratio_to(&floor), 0.6),
            Target::at_least("forward-auth / floor", forward_auth.ratio_to(&floor), 0.6),
            Target::at_least("refresh, a second", refresh, token_refreshes),
        ]
    }

    fn json(&self) -> Value {
        let subjects = self.subjects().into_iter();
        json!({
            "name": self.engine,
            "pinned": self.calls.is_pinned,
            "subjects": subjects.map(|(it, ratio)| it.json(Some(ratio))).collect::<Vec<_>>(),
            "argon2_per_second": self.tokens.hashes,
            "cores_used_by_others": self.others,
            "targets": self.targets().iter().map(Target::json).collect::<Vec<_>>(),
        })
    }
}

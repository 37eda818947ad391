//! Words that this code used for things which have a name in the field. They do not come back.
//!
//! Checked are names and comments of all sources, templates and documents. String literals of Rust are
//! left out: what is stored or sent keeps its words, and so do old migrations, which name old tables.

use std::collections::BTreeMap;
use std::path::Path;

/// A word, what to say instead, and how often it may still occur. The number only goes down.
const WORDS: &[(&str, &str, usize)] = &[
    ("deed", "bulk job, or admin action", 0),
    ("deeds", "bulk jobs, or admin actions", 0),
    ("befores", "snapshots", 0),
    ("newcomer", "new account, imported user or pending social sign-up", 0),
    ("newcomers", "new accounts", 0),
    ("courier", "e-mail sender", 0),
    ("dance", "social log-in", 0),
    ("dances", "log-ins", 0),
    ("doorstep", "log-in page", 0),
    ("errand", "workload", 0),
    ("jam", "full queue", 0),
    ("mint", "create", 0),
    ("minted", "created", 0),
    ("hasten", "retry now", 0),
    ("signin", "session", 0),
    ("signins", "sessions", 5),
    ("checkup", "checks", 2),
    ("trail", "audit log", 3),
    ("complaint", "error", 0),
    ("complaints", "form errors", 0),
    ("letter", "e-mail, or character", 4),
    ("letters", "e-mails, or characters", 18),
    ("whoever", "the user, the client or the owner", 8),
    ("whom", "the user, or another sentence", 4),
    ("nobody", "no user, no client or another sentence", 23),
    ("somebody", "a user, another user or a visitor", 8),
    ("everybody", "every user", 5),
];

/// Files that must name the words: this one, and migrations that rename what was called so.
const EXEMPT: [&str; 3] = ["tests/it/vocabulary.rs", "migrations/", "tests/it/ops/migrations.rs"];

/// Removes the string literals of a Rust source.
fn without_strings(source: &str) -> String {
    let mut kept = String::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '\'', '/']) {
        kept.push_str(&rest[..at]);
        let tail = &rest[at..];
        let length = if tail.starts_with("//") {
            let end = tail.find('\n').unwrap_or(tail.len());
            kept.push_str(&tail[..end]);
            end
        } else if tail.starts_with("'\"'") || tail.starts_with("'\\\"'") {
            tail[1..].find('\'').map_or(1, |_| if tail.starts_with("'\"'") { 3 } else { 4 })
        } else if tail.starts_with('"') {
            let hashes = kept.chars().rev().take_while(|char| *char == '#').count();
            let is_raw = kept[..kept.len() - hashes].ends_with('r');
            literal_length(tail, is_raw.then_some(hashes))
        } else {
            kept.push_str(&tail[..1]);
            1
        };
        rest = &tail[length..];
    }
    kept + rest
}

/// Returns the length of a string literal that begins with its quote; `hashes` if it is a raw one.
fn literal_length(text: &str, hashes: Option<usize>) -> usize {
    if let Some(hashes) = hashes {
        let end = format!("\"{}", "#".repeat(hashes));
        return text[1..].find(&end).map_or(text.len(), |at| 1 + at + end.len());
    }
    let mut is_escaped = false;
    let end = text[1..].find(|char| {
        let ends = char == '"' && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |at| at + 2)
}

/// Splits a text into words in lower case, and names at `_` and before capitals.
fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|char: char| !char.is_ascii_alphabetic());
    parts.flat_map(|part| {
        let bytes = part.as_bytes();
        let is_start = |at: &usize| {
            *at == 0 || (bytes[*at].is_ascii_uppercase() && bytes[*at - 1].is_ascii_lowercase())
        };
        let starts: Vec<usize> = (0..part.len()).filter(is_start).collect();
        let ends = starts.iter().skip(1).copied().chain([part.len()]).collect::<Vec<_>>();
        let words = starts.into_iter().zip(ends).map(|(from, to)| part[from..to].to_lowercase());
        words.collect::<Vec<_>>()
    })
}

fn files(folder: &Path, found: &mut Vec<String>, root: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "data", "node_modules"].contains(&&*name) {
                files(&path, found, root);
            }
        } else if [".rs", ".md", ".html", ".css", ".js"].iter().any(|end| name.ends_with(end)) {
            let path = path.strip_prefix(root).expect("below the root");
            found.push(path.to_string_lossy().replace('\\', "/"));
        }
    }
}

#[test]
fn words_that_were_replaced_do_not_come_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(root, &mut paths, root);
    paths.retain(|path| !EXEMPT.iter().any(|exempt| path.starts_with(exempt)));
    assert!(paths.len() > 400, "the files were found");
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in &paths {
        let text = std::fs::read_to_string(root.join(path)).expect("text");
        let text = if Path::new(path).extension().is_some_and(|it| it == "rs") {
            without_strings(&text)
        } else {
            text
        };
        let in_text: Vec<String> = words(&text).chain(words(path)).collect();
        for (word, ..) in WORDS {
            let times = in_text.iter().filter(|found| found == word).count();
            places.entry(*word).or_default().extend(std::iter::repeat_n(path.as_str(), times));
        }
    }
    for (word, instead, at_most) in WORDS {
        let found = &places[*word];
        let files: std::collections::BTreeSet<_> = found.iter().collect();
        assert!(
            found.len() <= *at_most,
            "`{word}` occurs {} times, and {at_most} are known; say {instead}: {files:#?}",
            found.len()
        );
    }
}

#[test]
fn words_are_found_in_names_and_comments_and_not_in_strings() {
    let source = "// a deed\nlet bulk_deeds = \"deed \\\" deed\"; struct BulkDeed; r#\"a deed\"#";
    let found: Vec<_> =
        words(&without_strings(source)).filter(|word| word.starts_with("deed")).collect();

    assert_eq!(found, ["deed", "deeds", "deed"]);
}

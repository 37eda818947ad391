//! The log messages that OPERATIONS quotes are the program's own.

use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// Returns the sources as one text, with string literals joined that go over several lines.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            let source = std::fs::read_to_string(&path).expect("a source");
            let mut lines = source.split("\\\n");
            text.push_str(lines.next().unwrap_or_default());
            lines.for_each(|line| text.push_str(line.trim_start()));
        }
    }
    text
}

/// Returns the rows of the table of log messages in OPERATIONS.
fn rows() -> Vec<String> {
    let page = read("docs/OPERATIONS.md");
    let table = page.split("| message | meaning and action |").nth(1).expect("a table of messages");
    table.lines().skip(2).take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_log_message_in_the_manual_exists() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let rows = rows();
    assert!(rows.len() >= 10, "the table was found");
    for row in &rows {
        let message = quoted(row).next().expect("a message in back quotes");
        // What follows depends on the moment.
        let fixed = message.trim_end_matches('…').trim_end();
        assert!(sources.contains(&format!("\"{fixed}")), "{message}");
    }
}

#[test]
fn every_reason_for_a_refusal_in_the_manual_exists() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let rows = rows();
    let row = rows.iter().find(|row| row.starts_with("| `request refused`")).expect("its row");
    let words = quoted(row).filter(|it| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'));
    let reasons: Vec<_> = words.collect();
    assert!(reasons.len() >= 5, "the reasons were found: {reasons:?}");
    for reason in reasons {
        assert!(sources.contains(&format!("\"{reason}\"")), "{reason}");
    }
}

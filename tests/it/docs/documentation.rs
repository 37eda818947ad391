//! What the documentation says of the program is so: settings, commands, files, tests and links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use daemun::testing::config::{SETTINGS, Setting, Settings};
use rocket::figment::value::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect(path)
}

/// Files below a folder, by ending; what is built, stored or generated is not looked at.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            let foreign = ["target", "data", "node_modules"];
            let is_ours = !name.starts_with('.') && !foreign.contains(&name.as_str());
            found.extend(is_ours.then(|| files(&path, ending)).into_iter().flatten());
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found
}

fn pages() -> Vec<(PathBuf, String)> {
    let pages = files(root(), ".md").into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).expect("text");
        (path, text)
    });
    let pages: Vec<_> = pages.collect();
    assert!(pages.len() > 10, "the documentation was found");
    pages
}

/// A page without what stands in its code blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// What stands between `start` and `end`, each time.
fn between<'a>(text: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
}

/// What stands in back quotes, line by line.
fn quoted(text: &str) -> Vec<String> {
    let lines = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    lines.map(str::to_owned).collect()
}

/// The rows of the README's table of settings: name and default.
fn settings() -> Vec<(String, String)> {
    let readme = read("README.md");
    let table = readme.split("| setting | default |").nth(1).expect("a table of settings");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].trim_matches('`').to_owned())
    })
    .collect()
}

#[test]
fn the_readmes_table_of_settings_is_the_programs() {
    let readme = read("README.md");
    let table = readme.split("| setting | default | meaning |\n|---|---|---|\n").nth(1);
    let table = table.expect("a table of settings").split("\n\n").next().expect("its end");

    let rows: Vec<_> = SETTINGS.iter().map(Setting::readme_row).collect();

    assert_eq!(table.lines().collect::<Vec<_>>(), rows);
}

#[test]
fn every_default_in_the_readme_is_the_real_one() {
    let plain = rocket::Config::figment();
    let expected = format!("{:?}", Settings::from_figment(&plain).expect("defaults"));
    for (name, default) in settings() {
        // A word for where the value comes from is no value.
        if default == "generated" || default == "public_url" {
            continue;
        }
        let value: Value = default.parse().expect("any text is a value");

        let settings = Settings::from_figment(&plain.clone().merge((name.as_str(), value)));

        assert_eq!(format!("{:?}", settings.expect(&name)), expected, "{name} = {default}");
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let help = Command::new(env!("CARGO_BIN_EXE_daemun"))
        .arg("--help")
        .env_clear()
        .output()
        .expect("the program runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let list = help.split("Commands:\n").nth(1).expect("a list of commands");
    let real: BTreeSet<_> = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let readme = read("README.md");
    let documented: BTreeSet<_> =
        between(&readme, "| `daemun ", '`').filter_map(|it| it.split(' ').next()).collect();

    assert_eq!(documented, real);
}

#[test]
fn the_readme_begins_with_the_two_commands() {
    let readme = read("README.md");
    let (before, rest) = readme.split_once("```sh\n").expect("commands");
    let (commands, after) = rest.split_once("```").expect("their end");

    assert_eq!(commands, "cargo run --release\ncargo test\n");
    assert!(before.lines().count() <= 8 && !before.contains("\n## "), "{before}");
    assert!(after.trim_start().starts_with("Then open <http://localhost:8000>."));
}

#[test]
fn the_readmes_example_is_the_example() {
    let (readme, example) = (read("README.md"), read("examples/notes.rs"));
    let code = readme.split("```rust\n").nth(1).and_then(|it| it.split("```").next());
    let lines: BTreeSet<_> = example.lines().collect();
    for line in code.expect("an example").lines() {
        assert!(lines.contains(line), "{line}");
    }
}

#[test]
fn every_link_and_image_has_a_target() {
    for (path, text) in pages() {
        let text = prose(&text);
        let folder = path.parent().expect("a folder");
        let targets = between(&text, "](", ')').chain(between(&text, "src=\"", '"'));
        for target in targets.filter(|it| !it.starts_with("https://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() { path.clone() } else { folder.join(file) };
            assert!(there.exists(), "{target} in {}", path.display());
            if !anchor.is_empty() {
                let page = std::fs::read_to_string(&there).expect("text");
                assert!(anchors(&page).contains(anchor), "{target} in {}", path.display());
            }
        }
    }
}

/// The anchors of a page's headings, as the common renderers make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let page = prose(page);
    let headings = page.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let kept = |char: &char| char.is_alphanumeric() || "-_ ".contains(*char);
    headings
        .map(|it| it.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_named_file_exists() {
    let folders = [
        "src/",
        "tests/",
        "templates/",
        "static/",
        "migrations/",
        "benches/",
        "examples/",
        "docs/",
    ];
    for (path, text) in pages() {
        for name in quoted(&prose(&text)) {
            if folders.iter().any(|folder| name.starts_with(folder)) {
                assert!(root().join(&name).exists(), "{name} in {}", path.display());
            }
        }
    }
}

/// A word with three underscores or more is a sentence, and here only tests and a few verbs have
/// such names.
#[test]
fn every_named_test_exists() {
    let sources =
        ["src", "tests"].into_iter().flat_map(|folder| files(&root().join(folder), ".rs"));
    let sources: String =
        sources.map(|path| std::fs::read_to_string(path).expect("source")).collect();
    for (path, text) in pages() {
        for name in quoted(&prose(&text)) {
            let is_word = name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            let is_setting = SETTINGS.iter().any(|setting| setting.name == name);
            if is_word && !is_setting && name.matches('_').count() >= 3 {
                assert!(sources.contains(&format!("fn {name}(")), "{name} in {}", path.display());
            }
        }
    }
}

#[test]
fn every_named_function_exists() {
    let source = |module: &str| -> Option<String> {
        let places = [
            format!("src/{module}"),
            format!("src/flows/{module}"),
            format!("src/web/{module}"),
            format!("src/sessions/{module}"),
        ];
        let found: Vec<_> = places
            .iter()
            .flat_map(|place| {
                let (file, folder) = (root().join(format!("{place}.rs")), root().join(place));
                let inside = if folder.is_dir() { files(&folder, ".rs") } else { Vec::new() };
                file.is_file().then_some(file).into_iter().chain(inside)
            })
            .collect();
        (!found.is_empty()).then(|| {
            found.iter().map(|path| std::fs::read_to_string(path).expect("source")).collect()
        })
    };
    for (path, text) in pages() {
        for name in quoted(&prose(&text)) {
            let Some((module, verb)) = name.split_once("::") else { continue };
            let is_verb =
                !verb.is_empty() && verb.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
            let Some(source) = is_verb.then(|| source(module)).flatten() else { continue };
            let is_there = source.contains(&format!("fn {verb}("))
                || source.contains(&format!("fn {verb}<"))
                || source.contains(&format!("as {verb}"));
            assert!(is_there, "{name} in {}", path.display());
        }
    }
}

#[test]
fn no_page_contains_local_paths() {
    let here = root().to_string_lossy().into_owned();
    let homes = ["/home/", "/root/", "/Users/", "/tmp/", "C:\\"];
    for (path, text) in pages() {
        for place in homes.iter().copied().chain([here.as_str()]) {
            assert!(!text.contains(place), "{place} in {}", path.display());
        }
    }
}

#[test]
fn every_decision_has_a_number_and_an_outcome() {
    let mut decisions: Vec<_> = files(&root().join("docs/decisions"), ".md")
        .iter()
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    decisions.sort();
    for (place, name) in decisions.iter().enumerate() {
        let number = format!("{:04}", place + 1);
        let text = read(&format!("docs/decisions/{name}"));
        assert!(name.starts_with(&format!("{number}-")), "{name}");
        assert!(text.starts_with(&format!("# {number}: ")), "{name}");
        for part in ["**Question.**", "**Choice.**", "**What would change our mind.**"] {
            assert!(text.contains(part), "{name} has no {part}");
        }
        assert!(text.lines().count() <= 80, "{name} is longer than a page");
    }
}

/// Larger pictures would delay the README on a phone.
const LARGEST_PICTURE: u64 = 60 * 1024;

#[test]
fn every_picture_is_small_and_used() {
    let pages: String = pages().into_iter().map(|(_, text)| text).collect();
    let pictures = files(&root().join("docs/pictures"), "");
    assert!(pictures.len() >= 5, "the pictures were found");
    for picture in pictures {
        let name = picture.file_name().expect("a name").to_string_lossy();
        assert!(pages.contains(&format!("pictures/{name}\"")), "{name} is on no page");
        let bytes = std::fs::metadata(&picture).expect("a file").len();
        assert!(bytes <= LARGEST_PICTURE, "{name} has {bytes} bytes");
    }
}

#[test]
fn every_picture_has_an_alternative_text() {
    for (path, text) in pages() {
        for image in between(&prose(&text), "<img ", '>') {
            let words = between(image, "alt=\"", '"').next().unwrap_or_default();
            assert!(words.len() > 20, "{image} in {}", path.display());
        }
    }
}

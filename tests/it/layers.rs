//! The house stands: no import goes up, no door calls a door, no flow calls a flow, and the outside
//! things are touched where they belong.

use std::path::{Path, PathBuf};

const TYPES: usize = 0;
const TOOLS: usize = 1;
const FEATURES: usize = 2;
const FLOWS: usize = 3;
const THRESHOLD: usize = 4;
const DOORS: usize = 5;
const ROOF: usize = 6;

/// The floor of a top-level module.
fn floor(module: &str) -> usize {
    match module {
        "types" => TYPES,
        "cache" | "clock" | "config" | "context" | "crypto" | "db" | "forwarding" | "i18n"
        | "mail" | "oauth" | "outbox" | "owner_only" | "throttle" | "user_agent" => TOOLS,
        "accounts" | "audit" | "groups" | "keys" | "links" | "sessions" | "social" | "admin" => {
            FEATURES
        }
        "flows" => FLOWS,
        "http" => THRESHOLD,
        "cli" | "web" | "worker" | "api" => DOORS,
        "app" | "main" | "lib" => ROOF,
        other => panic!("src/{other} has no floor: give it one here and in lib.rs"),
    }
}

/// Features stand beside one another in this order; each may use those before it.
const ORDER_OF_FEATURES: [&str; 8] =
    ["audit", "links", "keys", "groups", "accounts", "social", "sessions", "admin"];

struct Source {
    path: PathBuf,
    module: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let sources = found.into_iter().map(|path| {
        let inside = path.strip_prefix(&root).expect("below src").to_owned();
        let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).expect("readable");
        // Tests may look anywhere, and comments may speak of anything.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        Source { path: inside, module, code: code.collect::<Vec<_>>().join("\n") }
    });
    let sources: Vec<_> = sources.collect();
    assert!(sources.len() > 40, "the house was found");
    sources
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
}

/// The top-level modules that a file names by `crate::`, also in groups.
fn imports(code: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for part in code.split("crate::").skip(1) {
        let group = part.strip_prefix('{').and_then(|rest| rest.split('}').next());
        let names: Vec<&str> = group.map_or_else(|| vec![part], |group| group.split(',').collect());
        for name in names {
            let end = name.trim().find(|char: char| !char.is_alphanumeric() && char != '_');
            let name = name.trim();
            modules.push(name[..end.unwrap_or(name.len())].to_owned());
        }
    }
    modules.retain(|name| !name.is_empty() && name.chars().all(|c| c.is_lowercase() || c == '_'));
    modules
}

/// Whether the arrow goes down. `app` stands on the roof and opens every door; the command line is
/// the one door that starts the house, so it may call `app`. Tools and features stand side by side.
fn goes_down(from: &str, to: &str) -> bool {
    let (here, there) = (floor(from), floor(to));
    let is_beside = here == there && (from == to || here == TOOLS || here == FEATURES);
    there < here || is_beside || (from == "cli" && to == "app")
}

#[test]
fn arrows_only_go_down() {
    let mut wrong = Vec::new();
    for source in sources() {
        let imports = imports(&source.code);
        let up = imports.iter().filter(|module| !goes_down(&source.module, module));
        wrong.extend(up.map(|module| format!("{} uses {module}", source.path.display())));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_arrow_that_goes_up_would_be_seen() {
    assert!(!goes_down("flows", "web"));
    assert!(!goes_down("accounts", "flows"));
    assert!(!goes_down("types", "db"));
    assert!(!goes_down("db", "sessions"));
    assert!(!goes_down("web", "cli"));
    assert!(goes_down("web", "flows") && goes_down("sessions", "accounts"));
    assert_eq!(
        imports("use crate::{accounts, audit};\ncrate::db::Db"),
        ["accounts", "audit", "db"]
    );
}

#[test]
fn features_use_only_those_before_them() {
    let place = |name: &str| ORDER_OF_FEATURES.iter().position(|feature| *feature == name);
    for source in sources() {
        let Some(here) = place(&source.module) else { continue };
        for there in imports(&source.code).iter().filter_map(|module| place(module)) {
            assert!(there <= here, "{} uses {}", source.path.display(), ORDER_OF_FEATURES[there]);
        }
    }
}

#[test]
fn no_flow_calls_a_flow() {
    for source in sources().iter().filter(|source| source.module == "flows") {
        let is_map = source.path.ends_with("mod.rs");
        assert!(is_map || !source.code.contains("flows::"), "{}", source.path.display());
        assert!(is_map || !source.code.contains("super::"), "{}", source.path.display());
    }
}

#[test]
fn outside_things_are_touched_where_they_belong() {
    let may = |name: &str, places: &[&str]| {
        for source in sources() {
            let path = source.path.to_string_lossy().replace('\\', "/");
            let is_allowed =
                places.iter().any(|place| path.starts_with(place) || path.ends_with(place));
            let names_it = source.code.contains(&format!("{name}::"));
            assert!(is_allowed || !names_it, "{name} in src/{path}");
        }
    };
    may("sea_orm", &["db/", "store.rs"]);
    may("rocket", &["http/", "web/", "api/", "worker/", "app.rs", "cli/", "config/"]);
    may("hyper", &["http/server/", "http/body.rs"]);
    may("askama", &["web/", "mail/"]);
    may("lettre", &["mail/"]);
    may("jsonwebtoken", &["crypto/"]);
    may("reqwest", &["oauth/"]);
    may("oauth2", &["oauth/"]);
    may("argon2", &["crypto/"]);
    may("aws_lc_rs", &["crypto/"]);
    may("zxcvbn", &["accounts/"]);
    may("clap", &["cli/"]);
    may("rust_i18n", &["i18n/", "lib.rs"]);
    may("OffsetDateTime::now_utc", &["clock.rs"]);
    may("std::env", &["config/", "main.rs"]);
}

/// Our own listener attaches a body where Rocket does not look for it.
#[test]
fn bodies_are_read_in_one_place() {
    // Rocket's own guards read what Rocket knows of.
    let words = ["data.open(", "data.peek(", "TempFile", ": Form<"];
    let reads = |source: &&Source| words.iter().any(|word| source.code.contains(word));
    let sources = sources();
    let readers: Vec<_> = sources.iter().filter(reads).collect();

    let paths: Vec<_> = readers.iter().map(|source| source.path.display().to_string()).collect();
    assert_eq!(paths, ["http/body.rs"]);
}

#[test]
fn types_know_the_standard_library_and_four_crates_more() {
    for source in sources().iter().filter(|source| source.module == "types") {
        for line in source.code.lines().filter(|line| line.starts_with("use ")) {
            let root = line.trim_start_matches("use ").split("::").next().unwrap_or_default();
            let known = [
                "std",
                "super",
                "serde",
                "validator",
                "time",
                "thiserror",
                "zeroize",
                "unicode_normalization",
                "crate",
            ];
            assert!(known.contains(&root), "{}: {line}", source.path.display());
        }
        assert!(!source.code.contains("crate::"), "{}", source.path.display());
    }
}

#[test]
fn no_sentence_stands_below_the_doors() {
    for source in sources().iter().filter(|source| {
        floor(&source.module) < DOORS && !["i18n", "mail"].contains(&source.module.as_str())
    }) {
        let is_korean = source.code.chars().any(|char| ('가'..='힣').contains(&char));
        assert!(!is_korean, "{}", source.path.display());
        assert!(
            !source.code.contains(".say(") && !source.code.contains(".tell("),
            "{}",
            source.path.display()
        );
    }
}

#[test]
fn nothing_outside_tests_unwraps_or_is_hushed() {
    for source in sources() {
        for word in [".unwrap()", "todo!(", "unimplemented!(", "#[allow(", "dbg!("] {
            assert!(!source.code.contains(word), "{word} in {}", source.path.display());
        }
    }
}

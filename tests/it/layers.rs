//! The layers of `src`: imports go down only, files form no circles, entry points change nothing except
//! through a use case, and each outside crate is used in the modules that wrap it.
//!
//! The tests read the sources as text. They see what is named by `crate::` and `super::`, which is how
//! this code names other modules; they do not resolve re-exports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Types,
    Infrastructure,
    Domain,
    UseCases,
    HttpKit,
    EntryPoints,
    Composition,
}

use Layer::{Composition, Domain, EntryPoints, HttpKit, Infrastructure, Types, UseCases};

/// The layer of a top-level module.
fn layer(module: &str) -> Layer {
    match module {
        "paths" | "types" => Types,
        "cache" | "clock" | "config" | "context" | "crypto" | "db" | "forwarding" | "i18n"
        | "mail" | "oauth" | "outbox" | "owner_only" | "throttle" | "user_agent" => Infrastructure,
        "accounts" | "admin" | "audit" | "groups" | "keys" | "links" | "sessions" | "social" => {
            Domain
        }
        "flows" => UseCases,
        "http" => HttpKit,
        "api" | "cli" | "web" | "worker" => EntryPoints,
        "app" | "lib" | "main" | "testing" => Composition,
        other => panic!("src/{other} has no layer: give it one here and in lib.rs"),
    }
}

/// Each domain module may use those before it.
const DOMAIN_ORDER: [&str; 8] =
    ["audit", "links", "keys", "groups", "accounts", "social", "sessions", "admin"];

/// Returns whether a top-level module may use another one.
fn may_use(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    let place = |name: &str| DOMAIN_ORDER.iter().position(|module| *module == name);
    match (layer(from), layer(to)) {
        (Types, _) => false,
        (Domain, Domain) => place(to) < place(from),
        (Infrastructure, Infrastructure) | (Composition, _) | (EntryPoints, UseCases) => true,
        // The command line starts the server, which speaks HTTP.
        (EntryPoints, Composition) => (from, to) == ("cli", "app"),
        (EntryPoints, HttpKit) => from != "worker",
        (Infrastructure, to) => to == Types,
        (Domain, to) => matches!(to, Types | Infrastructure),
        (UseCases | HttpKit | EntryPoints, to) => matches!(to, Types | Infrastructure | Domain),
    }
}

/// Circles of files that are known and have to be opened: their paths, sorted.
const KNOWN_CIRCLES: &[&[&str]] = &[];

/// Functions of domain modules that write although an entry point calls them: the rotation of a refresh
/// token is one rule of `sessions` and has no further steps.
const WRITES_ALLOWED_TO_ENTRY_POINTS: &[&str] = &["sessions::refresh"];

struct Source {
    /// The path below `src`, with `/`.
    path: String,
    /// The top-level module.
    module: String,
    /// The text without comments and unit tests.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    let sources = found.into_iter().map(|path| {
        let inside = path.strip_prefix(&root).expect("below src");
        let inside = inside.to_string_lossy().replace('\\', "/");
        let module = inside.split('/').next().expect("a name").trim_end_matches(".rs").to_owned();
        let text = std::fs::read_to_string(&path).expect("readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        Source { path: inside, module, code: code.collect::<Vec<_>>().join("\n") }
    });
    let sources: Vec<_> = sources.collect();
    assert!(sources.len() > 40, "the sources were found");
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

/// Returns the module path of a file: `web/admin/mod.rs` is `["web", "admin"]`.
fn module_path(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    let names = path.split('/').filter(|name| !["lib", "main"].contains(name));
    names.map(str::to_owned).collect()
}

/// Returns each path that the code names by `crate::` or `super::`, from the crate's root, with groups
/// in braces spelled out.
fn named_paths(source: &Source) -> Vec<Vec<String>> {
    let here = module_path(&source.path);
    let mut paths = Vec::new();
    for (start, keyword) in
        ["crate::", "super::"].into_iter().flat_map(|keyword| source.code.match_indices(keyword))
    {
        let before = source.code[..start].chars().next_back();
        if before.is_some_and(|char| char.is_alphanumeric() || "_:".contains(char)) {
            continue;
        }
        let rest = &source.code[start + keyword.len()..];
        let parent = &here[..here.len().saturating_sub(1)];
        let root = if keyword == "crate::" { &[] } else { parent };
        expand(root.to_vec(), rest, &mut paths);
    }
    paths
}

/// Adds the paths that begin with `root` and go on with `rest`; returns how much of `rest` they are.
fn expand(mut root: Vec<String>, rest: &str, paths: &mut Vec<Vec<String>>) -> usize {
    let mut at = 0;
    loop {
        let tail = &rest[at..];
        if let Some(group) = tail.strip_prefix('{') {
            let mut inside = 0;
            while !group[inside..].starts_with('}') {
                let item = &group[inside..];
                let blank = item.len() - item.trim_start_matches([' ', '\n', ',']).len();
                inside += blank;
                if !group[inside..].starts_with('}') {
                    inside += expand(root.clone(), &group[inside..], paths).max(1);
                    let end = group[inside..].find([',', '}']).unwrap_or(0);
                    inside += end;
                }
            }
            return at + inside + 2;
        }
        let end = tail.find(|char: char| !char.is_alphanumeric() && char != '_');
        let name = &tail[..end.unwrap_or(tail.len())];
        at += name.len();
        match name {
            "" => break,
            "super" => drop(root.pop()),
            "self" => {}
            name => root.push(name.to_owned()),
        }
        if !rest[at..].starts_with("::") {
            break;
        }
        at += 2;
    }
    paths.push(root);
    at
}

/// Returns the top-level modules that a file names.
fn named_modules(source: &Source) -> BTreeSet<String> {
    let is_module = |name: &String| name.chars().all(|char| char.is_lowercase() || char == '_');
    let first = named_paths(source).into_iter().filter_map(|path| path.into_iter().next());
    first.filter(is_module).collect()
}

/// Returns which files each file names, leaving out the maps of folders (`mod.rs`): a folder's verbs use
/// its parts, and the parts may use the folder's types.
fn file_graph(sources: &[Source]) -> BTreeMap<&str, BTreeSet<&str>> {
    let files: BTreeMap<Vec<String>, &str> =
        sources.iter().map(|source| (module_path(&source.path), source.path.as_str())).collect();
    let file_of = |path: &[String]| {
        (1..=path.len()).rev().find_map(|length| files.get(&path[..length]).copied())
    };
    let is_map = |path: &str| path.ends_with("mod.rs") || !path.contains('/');
    let edges = sources.iter().filter(|source| !is_map(&source.path)).map(|source| {
        let named = named_paths(source);
        let others = named.iter().filter_map(|path| file_of(path));
        let others = others.filter(|path| *path != source.path && !is_map(path)).collect();
        (source.path.as_str(), others)
    });
    edges.collect()
}

/// Returns the groups of files that reach one another.
fn circles(graph: &BTreeMap<&str, BTreeSet<&str>>) -> BTreeSet<Vec<String>> {
    let reached = |from: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(file) = open.pop() {
            for next in graph.get(file.as_str()).into_iter().flatten() {
                if seen.insert((*next).to_owned()) {
                    open.push((*next).to_owned());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&str, _> = graph.keys().map(|file| (*file, reached(file))).collect();
    let circle = |file: &str| {
        let is_beside = |other: &str| reach[file].contains(other) && reach[other].contains(file);
        graph.keys().filter(|other| is_beside(other)).map(|&other| other.to_owned()).collect()
    };
    graph.keys().map(|file| circle(file)).filter(|circle: &Vec<_>| !circle.is_empty()).collect()
}

#[test]
fn imports_go_down() {
    let mut wrong = Vec::new();
    for source in sources() {
        let up = named_modules(&source);
        let up = up.iter().filter(|module| !may_use(&source.module, module));
        wrong.extend(up.map(|module| format!("{} uses {module}", source.path)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_import_that_goes_up_is_found() {
    for (from, to) in [
        ("flows", "web"),
        ("flows", "http"),
        ("http", "flows"),
        ("accounts", "flows"),
        ("accounts", "sessions"),
        ("types", "db"),
        ("db", "sessions"),
        ("web", "cli"),
        ("worker", "http"),
    ] {
        assert!(!may_use(from, to), "{from} uses {to}");
    }
    assert!(may_use("web", "flows") && may_use("sessions", "accounts") && may_use("web", "groups"));
}

#[test]
fn named_paths_are_understood() {
    let source = |path: &str, code: &str| Source {
        path: path.into(),
        module: String::new(),
        code: code.into(),
    };
    let code =
        "use crate::{accounts::{self, store::Row}, audit};\nlet db = crate::db::Db;\nsuper::x()";
    let paths = named_paths(&source("web/admin/users.rs", code));
    let paths: Vec<String> = paths.iter().map(|path| path.join("/")).collect();

    let expected =
        ["accounts", "accounts/store/Row", "audit", "db/Db", "web/admin/x"].map(String::from);
    assert_eq!(paths, expected);
    let two = [source("a/b.rs", "super::c::f()"), source("a/c.rs", "use crate::a::b;")];
    assert_eq!(
        circles(&file_graph(&two)),
        BTreeSet::from([vec!["a/b.rs".into(), "a/c.rs".into()]])
    );
}

#[test]
fn files_form_no_circles() {
    let sources = sources();
    let found = circles(&file_graph(&sources));
    let known: BTreeSet<Vec<String>> =
        KNOWN_CIRCLES.iter().map(|files| files.iter().map(|&file| file.into()).collect()).collect();

    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "these files use one another: {new:#?}");
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(gone.is_empty(), "take these out of KNOWN_CIRCLES: {gone:#?}");
}

#[test]
fn no_use_case_calls_a_use_case() {
    for source in sources().iter().filter(|source| source.module == "flows") {
        let is_map = source.path.ends_with("mod.rs");
        // The parts of one use case may use one another: `flows/system/checks/…`.
        let here = module_path(&source.path);
        let is_another = |path: &Vec<String>| here.len() < 4 || path.get(..3) != here.get(..3);
        let others = named_paths(source).into_iter().filter(|path| path[0] == "flows");
        let others = others.filter(is_another);
        let others: Vec<_> = others.map(|path| path.join("::")).collect();
        assert!(is_map || others.is_empty(), "{} uses {others:?}", source.path);
    }
}

/// The functions of a file with their signature and body.
fn functions(code: &str) -> Vec<(&str, &str)> {
    let starts = code.match_indices("fn ").filter(|(at, _)| {
        let line = code[..*at].rsplit('\n').next().unwrap_or_default();
        let words = ["pub", "(crate)", "(super)", "async", "const"];
        let rest = words.iter().fold(line.to_owned(), |line, word| line.replace(word, ""));
        rest.trim().is_empty() && !line.starts_with(' ')
    });
    let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([code.len()]);
    let functions = starts.iter().zip(ends).map(|(&start, end)| {
        let text = &code[start + 3..end];
        let name = text.find(['(', '<']).map_or(text, |end| &text[..end]);
        (name, text.split_once("\n}").map_or(text, |(body, _)| body))
    });
    functions.collect()
}

/// Returns the functions of domain modules that write, as `module::name`. A function writes if it takes or
/// begins a transaction, or calls a function of its own module that does.
fn writing_functions(sources: &[Source]) -> BTreeSet<String> {
    let mut writing = BTreeSet::new();
    for module in DOMAIN_ORDER {
        let files = sources.iter().filter(|source| source.module == module);
        let functions: Vec<_> = files.flat_map(|source| functions(&source.code)).collect();
        let mut names: BTreeSet<&str> = BTreeSet::new();
        loop {
            let calls = |text: &str, name: &str| {
                text.match_indices(&format!("{name}(")).any(|(at, _)| {
                    !text[..at]
                        .ends_with(|char: char| char.is_alphanumeric() || "_.".contains(char))
                })
            };
            let writes = |text: &str| {
                text.contains("Transaction")
                    || text.contains(".begin()")
                    || names
                        .iter()
                        .any(|name| calls(text.split_once('{').map_or("", |it| it.1), name))
            };
            let more: BTreeSet<&str> =
                functions.iter().filter(|(_, text)| writes(text)).map(|(name, _)| *name).collect();
            if more == names {
                break;
            }
            names = more;
        }
        writing.extend(names.iter().map(|name| format!("{module}::{name}")));
    }
    writing
}

#[test]
fn entry_points_write_through_use_cases() {
    let sources = sources();
    let writing = writing_functions(&sources);
    assert!(writing.contains("groups::set_memberships"), "{writing:#?}");
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| layer(&source.module) == EntryPoints) {
        assert!(!source.code.contains(".begin()"), "{} begins a transaction", source.path);
        let named = named_paths(source);
        for function in &writing {
            let (module, name) = function.split_once("::").expect("a module and a name");
            // A use case may be named like the domain module: `flows::admin::groups`.
            let calls_it = named.iter().any(|path| *path == [module])
                && source.code.match_indices(&format!("{function}(")).any(|(at, _)| {
                    !source.code[..at]
                        .ends_with(|char: char| char.is_alphanumeric() || "_:".contains(char))
                });
            let names_it = calls_it || named.iter().any(|path| *path == [module, name]);
            if names_it && !WRITES_ALLOWED_TO_ENTRY_POINTS.contains(&function.as_str()) {
                wrong.push(format!("{} calls {function}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for function in WRITES_ALLOWED_TO_ENTRY_POINTS {
        assert!(writing.contains(*function), "take {function} out of the list");
    }
}

#[test]
fn outside_crates_are_used_where_they_belong() {
    let may = |name: &str, places: &[&str]| {
        for source in sources() {
            let path = &source.path;
            let is_allowed =
                places.iter().any(|place| path.starts_with(place) || path.ends_with(place));
            let names_it = source.code.contains(&format!("{name}::"));
            assert!(is_allowed || !names_it, "{name} in src/{path}");
        }
    };
    may("sea_orm", &["db/", "store.rs", "accounts/store/", "outbox/store/", "sessions/store/"]);
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
    let readers: Vec<_> = sources.iter().filter(reads).map(|source| source.path.as_str()).collect();

    assert_eq!(readers, ["http/body.rs"]);
}

#[test]
fn types_use_few_crates() {
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
            assert!(known.contains(&root), "{}: {line}", source.path);
        }
    }
}

#[test]
fn sentences_are_written_by_entry_points() {
    for source in sources() {
        let is_above = [EntryPoints, Composition].contains(&layer(&source.module));
        if is_above || ["i18n", "mail"].contains(&source.module.as_str()) {
            continue;
        }
        let is_korean = source.code.chars().any(|char| ('가'..='힣').contains(&char));
        assert!(!is_korean, "{}", source.path);
        let translates = source.code.contains(".say(") || source.code.contains(".tell(");
        assert!(!translates, "{}", source.path);
    }
}

#[test]
fn only_tests_unwrap_and_no_lint_is_silenced() {
    for source in sources() {
        for word in [".unwrap()", "todo!(", "unimplemented!(", "#[allow(", "dbg!("] {
            assert!(!source.code.contains(word), "{word} in {}", source.path);
        }
    }
}

//! CONTRIBUTING names files and recipes that exist, and every recipe.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// Returns what is in back quotes, line by line, without code blocks.
fn quoted(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let lines = prose.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    lines.map(str::to_owned).collect()
}

#[test]
fn every_file_to_touch_exists() {
    let page = read("CONTRIBUTING.md");
    let steps = page.split("## Add ").skip(1).collect::<String>();
    let files: Vec<_> = quoted(&steps).into_iter().filter(|name| name.contains('/')).collect();
    assert!(files.len() > 30, "the steps were found: {files:?}");
    for name in files.iter().filter(|name| !name.contains(' ')) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(), "{name}");
    }
}

#[test]
fn every_recipe_is_explained_and_exists() {
    let (page, justfile) = (read("CONTRIBUTING.md"), read("justfile"));
    let heads =
        justfile.lines().filter(|line| line.starts_with(|it: char| it.is_ascii_lowercase()));
    let recipes: BTreeSet<_> = heads
        .filter_map(|line| line.split(':').next()?.split(' ').next())
        .filter(|name| *name != "default")
        .map(str::to_owned)
        .collect();
    let named: BTreeSet<_> = quoted(&page)
        .iter()
        .filter_map(|it| Some(it.strip_prefix("just ")?.split(' ').next()?.to_owned()))
        .collect();
    assert!(recipes.len() > 8, "the recipes were found: {recipes:?}");
    assert_eq!(named, recipes);
}

#[test]
fn ci_runs_what_contributors_run() {
    let workflow = read(".github/workflows/ci.yml");
    assert!(workflow.contains("run: .ci/run"), "{workflow}");
}

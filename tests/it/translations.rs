//! The sentences: none missing, none unused, none that differs in what it fills in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use daemun::testing::i18n::Language;

/// Key -> language -> sentence, as the files have it.
fn sentences() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for file in files(&root().join("src/i18n"), "toml") {
        let mut key = String::new();
        for line in read(&file).lines() {
            if let Some(name) = line.strip_prefix('[') {
                name.trim_end_matches(']').clone_into(&mut key);
                let is_new = all.insert(key.clone(), BTreeMap::new()).is_none();
                assert!(is_new, "{key} stands twice");
            } else if let Some((language, sentence)) = line.split_once(" = ")
                && !key.is_empty()
            {
                let sentence = sentence.trim_matches('"').to_owned();
                all.get_mut(&key).expect("inserted").insert(language.to_owned(), sentence);
            }
        }
    }
    all
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a readable file")
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path, extension) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect()
}

/// Everything between double quotes in the sources that looks like a key.
fn mentioned() -> BTreeSet<String> {
    let sources =
        [files(&root().join("src"), "rs"), files(&root().join("templates"), "html")].concat();
    let text: String = sources.iter().map(|path| read(path)).collect();
    text.split('"').filter(|part| part.contains('.')).map(str::to_owned).collect()
}

fn placeholders(sentence: &str) -> BTreeSet<&str> {
    sentence.split("%{").skip(1).filter_map(|rest| rest.split('}').next()).collect()
}

#[test]
fn every_text_exists_in_both_languages() {
    let all = sentences();
    assert!(all.len() > 100, "the files were read: {}", all.len());
    for (key, sentence) in &all {
        let languages: Vec<_> = sentence.keys().map(String::as_str).collect();
        assert_eq!(languages, ["en", "ko"], "{key}");
        assert!(sentence.values().all(|text| !text.trim().is_empty()), "{key}");
        assert_eq!(placeholders(&sentence["en"]), placeholders(&sentence["ko"]), "{key}");
    }
}

#[test]
fn the_binary_contains_the_texts_of_the_files() {
    for (key, sentence) in sentences() {
        let key: &'static str = key.leak();
        for language in Language::ALL {
            let said = language.say(key).replace('\n', "\\n").replace('"', "\\\"");
            assert_eq!(said, sentence[language.tag()], "{key}");
        }
    }
}

#[test]
fn no_text_is_unused() {
    let mentioned = mentioned();
    let unused: Vec<_> = sentences().into_keys().filter(|key| !mentioned.contains(key)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn no_text_is_missing() {
    let all = sentences();
    let groups: BTreeSet<_> =
        all.keys().map(|key| key.split('.').next().expect("a group")).collect();
    let is_key = |text: &String| {
        let group = text.split('.').next().unwrap_or_default();
        groups.contains(group)
            && text.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte)
            })
    };
    // Files of static/ and templates/ have names with dots too.
    let is_file = |text: &String| {
        let extension = text.rsplit('.').next().unwrap_or_default();
        ["html", "svg", "toml", "js", "css"].contains(&extension)
    };
    let missing: Vec<_> = mentioned()
        .into_iter()
        .filter(|text| is_key(text) && !is_file(text) && !all.contains_key(text))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn korean_texts_are_polite() {
    for (key, sentence) in sentences() {
        let korean = &sentence["ko"];
        for rude in ["당신", "하세요요", "해라", "한다."] {
            assert!(!korean.contains(rude), "{key}: {korean}");
        }
    }
}

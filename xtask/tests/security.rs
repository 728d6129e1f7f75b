//! What `docs/SECURITY.md` points at is there: files, tests, fuzz targets. A defence that was renamed or taken out is noticed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Where the page's paths begin, as it says itself.
const PLACES: [&str; 6] =
    ["", "control-plane", "control-plane/src", "control-plane/tests", "edge/tests", "xtask/e2e/tests/e2e"];

/// What stands between back quotes in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_there(path: &str) -> bool {
    PLACES.iter().any(|place| Path::new(ROOT).join(place).join(path).is_file())
}

/// Names of tests are sentences.
fn is_test_name(word: &str) -> bool {
    word.bytes().filter(|byte| *byte == b'_').count() >= 3
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// All of our sources, one after another.
fn sources() -> io::Result<String> {
    let mut folders: Vec<PathBuf> =
        ["control-plane", "edge", "fleetctl", "proto", "xtask"].map(|folder| Path::new(ROOT).join(folder)).to_vec();
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&fs::read_to_string(path)?);
            }
        }
    }
    Ok(sources)
}

/// Everything that the page points at and that is not there.
fn wrong(page: &str, sources: &str, targets: &BTreeSet<String>) -> Vec<String> {
    let mut wrong = Vec::new();
    for word in quoted(page) {
        if word.ends_with(".rs") && !is_there(word) {
            wrong.push(format!("there is no file {word}"));
        }
        if is_test_name(word) && !sources.contains(&format!("fn {word}(")) {
            wrong.push(format!("there is no test {word}"));
        }
    }
    for (_before, after) in page.lines().filter_map(|line| line.split_once("fuzz target")) {
        let named = quoted(after).filter(|word| !word.contains(['.', '/', ' ']));
        wrong.extend(
            named.filter(|word| !targets.contains(*word)).map(|word| format!("there is no fuzz target {word}")),
        );
    }
    wrong.extend(
        targets
            .iter()
            .filter(|target| !page.contains(&format!("`{target}`")))
            .map(|target| format!("the fuzz target {target} is not on the page")),
    );
    wrong
}

fn targets() -> io::Result<BTreeSet<String>> {
    let mut targets = BTreeSet::new();
    for entry in fs::read_dir(Path::new(ROOT).join("xtask/fuzz/corpus"))? {
        targets.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    targets.remove("known");
    Ok(targets)
}

#[test]
fn what_the_page_points_at_is_there() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/SECURITY.md")).unwrap();
    let found = wrong(&page, &sources().unwrap(), &targets().unwrap());
    assert!(found.is_empty(), "docs/SECURITY.md:\n{}", found.join("\n"));
}

#[test]
fn what_is_not_there_is_seen() {
    let targets = BTreeSet::from(["proof".to_owned()]);
    let check = |page: &str| wrong(page, "fn a_name_of_a_test() {}", &targets);
    assert_eq!(check("`wakeups.rs`, `a_name_of_a_test`, fuzz target `proof`"), Vec::<String>::new());
    assert_eq!(
        check("`nowhere.rs`, `a_test_that_is_gone`, fuzz target `other`"),
        [
            "there is no file nowhere.rs",
            "there is no test a_test_that_is_gone",
            "there is no fuzz target other",
            "the fuzz target proof is not on the page"
        ]
    );
}

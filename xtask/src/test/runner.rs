//! Running tests: by nextest where it is installed, else by cargo.

use super::phases::run_and_collect;
use crate::machine::on_path;
use crate::workspace;
use anyhow::{Context as _, ensure};
use serde_json::Value;

/// The crate of the end-to-end tests.
const END_TO_END: &str = "kaliun-e2e";

/// Which tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tests {
    /// Those that run a whole fleet and a browser each.
    EndToEnd,
    /// All others.
    Others,
}

/// Runs tests and returns the runner's summary.
pub(super) fn run(tests: Tests) -> anyhow::Result<Vec<String>> {
    let mut command = workspace::cargo()?;
    if on_path("cargo-nextest").is_some() {
        command.args(nextest_arguments(tests));
        // Passing tests are a line each, which is what a failed run is read for.
        return run_and_collect(&mut command, |line| line.trim_start().starts_with("Summary ["));
    }
    command.args(cargo_arguments(tests, &Targets::read(&workspace::metadata()?)?));
    run_and_collect(&mut command, |line| line.starts_with("test result:"))
}

fn nextest_arguments(tests: Tests) -> Vec<String> {
    let filter = match tests {
        Tests::EndToEnd => format!("package({END_TO_END})"),
        Tests::Others => format!("not package({END_TO_END})"),
    };
    words(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast", "--no-tests=fail", "-E", &filter])
}

/// The whole workspace is selected in both cases, and only the targets differ: a package by itself would be built with
/// other features, and everything under it once more.
fn cargo_arguments(tests: Tests, targets: &Targets) -> Vec<String> {
    let mut arguments = words(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    let named = |names: &[String]| names.iter().flat_map(|name| words(&["--test", name])).collect::<Vec<_>>();
    match tests {
        // Two cores hold one fleet at a time; nextest has that from its configuration.
        Tests::EndToEnd => {
            arguments.extend(named(&targets.end_to_end));
            arguments.extend(words(&["--", "--test-threads=1"]));
        }
        // With those of the end-to-end crate's own library, which need no fleet.
        Tests::Others => {
            arguments.extend(words(&["--lib", "--bins"]));
            arguments.extend(named(&targets.others));
        }
    }
    arguments
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The names of all targets below a `tests` folder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Targets {
    end_to_end: Vec<String>,
    others: Vec<String>,
}

impl Targets {
    /// Reads them out of what cargo says of the workspace.
    fn read(metadata: &Value) -> anyhow::Result<Self> {
        let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
        let mut found = Self::default();
        for package in list(metadata, "packages").context("cargo metadata names no packages")? {
            let of_package = if package.get("name").and_then(Value::as_str) == Some(END_TO_END) {
                &mut found.end_to_end
            } else {
                &mut found.others
            };
            for target in list(&package, "targets").context("cargo metadata names no targets")? {
                if list(&target, "kind").is_some_and(|kinds| kinds.contains(&Value::from("test"))) {
                    of_package.extend(target.get("name").and_then(Value::as_str).map(str::to_owned));
                }
            }
        }
        ensure!(!found.end_to_end.is_empty(), "there are no end-to-end tests");
        // They are selected by name alone.
        let twice = found.end_to_end.iter().find(|name| found.others.contains(name));
        ensure!(twice.is_none(), "another crate has tests of the name {twice:?} too; give them another");
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata(others: &str) -> Value {
        let target = |name: &str, kind: &str| json!({"name": name, "kind": [kind]});
        json!({"packages": [
            {"name": "kaliun-e2e", "targets": [target("kaliun_e2e", "lib"), target("e2e", "test")]},
            {"name": "kaliun-store", "targets": [target("kaliun_store", "lib"), target(others, "test")]},
        ]})
    }

    #[test]
    fn without_nextest_the_end_to_end_tests_run_apart_and_one_after_another() {
        let targets = Targets::read(&metadata("store")).unwrap();
        let line = |tests| cargo_arguments(tests, &targets).join(" ");
        assert_eq!(line(Tests::EndToEnd), "test --workspace --locked --no-fail-fast --test e2e -- --test-threads=1");
        assert_eq!(line(Tests::Others), "test --workspace --locked --no-fail-fast --lib --bins --test store");
    }

    #[test]
    fn targets_of_one_name_are_not_mixed_up() {
        assert!(Targets::read(&metadata("e2e")).is_err());
    }

    #[test]
    fn this_workspace_can_be_read() {
        let targets = Targets::read(&workspace::metadata().unwrap()).unwrap();
        assert_eq!(targets.end_to_end, ["e2e"]);
        assert!(targets.others.contains(&"layering".to_owned()), "{targets:?}");
    }
}

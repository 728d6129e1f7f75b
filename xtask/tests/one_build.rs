//! Programs and tests share each dependency: what `cargo xtask up` has compiled, `cargo xtask test` need not compile again.

use anyhow::{Context as _, ensure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The programs, as `up` selects them, and the tools, as xtask does.
const PROGRAMS: [&str; 2] = ["--workspace", "--bins"];
/// Everything, as `test` selects it.
const EVERYTHING: [&str; 2] = ["--workspace", "--all-targets"];
/// The end-to-end tests, as `test` selects them where cargo runs them and not nextest.
const END_TO_END: [&str; 3] = ["--workspace", "--test", "e2e"];

/// One way to compile a crate: what cargo compiles it with. Two that differ are compiled apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    features: BTreeSet<String>,
    profile: BTreeMap<String, String>,
}

/// Crates, and the ways in which each is compiled: for programs, for tests, for build scripts and macros.
type Ways = BTreeMap<String, BTreeSet<Way>>;

/// What cargo would compile. Only unstable cargo tells, and this one is told to be that.
fn ask_cargo(selection: &[&str]) -> anyhow::Result<Ways> {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--frozen", "-Z", "unstable-options", "--unit-graph"])
        .args(selection)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("RUSTC_BOOTSTRAP", "1")
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let graph: Value = serde_json::from_slice(&output.stdout).context("cargo printed no JSON")?;
    ensure!(graph.get("version") == Some(&Value::from(1)), "cargo's graph has another format than this test reads");
    read(&graph).context("cargo's graph lacks something that this test reads")
}

fn read(graph: &Value) -> Option<Ways> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut ways = Ways::new();
    for unit in graph.get("units")?.as_array()? {
        // "registry+https://…#tokio@1.54.1", or for one of ours "path+file:///…/control-plane#kaliun-control-plane@0.1.0".
        let package = text(unit.get("pkg_id")?);
        let package = package.rsplit(['/', '#']).next()?;
        let name = format!("{package}, {} ({})", text(unit.pointer("/target/name")?), text(unit.get("mode")?));
        let features = unit.get("features")?.as_array()?.iter().map(text).collect();
        let profile = unit.get("profile")?.as_object()?;
        let profile = profile.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        ways.entry(name).or_default().insert(Way { features, profile });
    }
    Some(ways)
}

/// Where the programs need a crate in a way in which it is not compiled when everything is.
fn differences(programs: &Ways, everything: &Ways) -> Vec<String> {
    let mut found = Vec::new();
    for (name, ways) in programs {
        let others = everything.get(name).cloned().unwrap_or_default();
        for way in ways.difference(&others) {
            // Of several, the nearest shows what is to be done.
            let distance = |other: &&Way| describe(way, other).len();
            match others.iter().min_by_key(distance) {
                Some(other) => found.push(format!("{name}: {}", describe(way, other).join(", "))),
                None => found.push(format!("{name}: compiled for the programs alone")),
            }
        }
    }
    found
}

/// What differs from one way to the other.
fn describe(way: &Way, other: &Way) -> Vec<String> {
    let more = other.features.difference(&way.features).map(|feature| format!("feature {feature} only with tests"));
    let less = way.features.difference(&other.features).map(|feature| format!("feature {feature} only without tests"));
    let profile = way.profile.iter().filter_map(|(key, value)| {
        let with_tests = other.profile.get(key).filter(|with_tests| *with_tests != value)?;
        Some(format!("{key} is {value}, with tests {with_tests}"))
    });
    more.chain(less).chain(profile).collect()
}

#[test]
fn programs_and_tests_share_every_dependency() -> anyhow::Result<()> {
    let found = differences(&ask_cargo(&PROGRAMS)?, &ask_cargo(&EVERYTHING)?);
    ensure!(
        found.is_empty(),
        "`cargo xtask up` and `cargo xtask test` compile these twice, and all that uses them:\n{}\n\
         A feature that tests turn on belongs into the dependencies of xtask/e2e/Cargo.toml too.",
        found.join("\n")
    );
    Ok(())
}

#[test]
fn end_to_end_tests_by_themselves_are_those_that_were_built() -> anyhow::Result<()> {
    let found = differences(&ask_cargo(&END_TO_END)?, &ask_cargo(&EVERYTHING)?);
    ensure!(found.is_empty(), "without nextest these are compiled twice:\n{}", found.join("\n"));
    Ok(())
}

#[test]
fn what_only_tests_turn_on_is_seen() {
    let graph = |features: &[&str], debuginfo: Value| {
        read(&serde_json::json!({"units": [{
            "pkg_id": "registry+https://example.org#tokio@1.54.1",
            "target": {"name": "tokio"},
            "mode": "build",
            "features": features,
            "profile": {"name": "dev", "debuginfo": debuginfo},
        }]}))
        .unwrap()
    };
    let programs = graph(&["net"], Value::from(0));
    assert_eq!(differences(&programs, &programs), Vec::<String>::new());
    let everything = graph(&["net", "test-util"], Value::from("line-tables-only"));
    assert_eq!(
        differences(&programs, &everything),
        ["tokio@1.54.1, tokio (build): feature test-util only with tests, debuginfo is 0, with tests line-tables-only"]
    );
    assert_eq!(differences(&Ways::new(), &everything), Vec::<String>::new());
}

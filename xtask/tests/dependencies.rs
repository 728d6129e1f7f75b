//! The table of dependencies in the workspace's manifest: nothing in it is dead, and each says what it is for.

use std::collections::BTreeSet;
use std::path::Path;
use toml::{Table, Value};

fn manifest(folder: &str) -> anyhow::Result<Table> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(folder).join("Cargo.toml");
    Ok(std::fs::read_to_string(path)?.parse()?)
}

/// Adds what a manifest, or a part of it for some platform, takes from the workspace's table.
fn collect_used(part: &Table, used: &mut BTreeSet<String>) {
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, from) in part.get(kind).and_then(Value::as_table).into_iter().flatten() {
            if from.get("workspace").and_then(Value::as_bool) == Some(true) {
                used.insert(name.clone());
            }
        }
    }
    for platform in part.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values) {
        platform.as_table().into_iter().for_each(|platform| collect_used(platform, used));
    }
}

#[test]
fn each_is_used_by_a_member() {
    let workspace = manifest("").unwrap();
    let workspace = workspace["workspace"].as_table().unwrap();
    let mut used = BTreeSet::new();
    for member in workspace["members"].as_array().unwrap() {
        collect_used(&manifest(member.as_str().unwrap()).unwrap(), &mut used);
    }
    let declared = workspace["dependencies"].as_table().unwrap().keys();
    let dead: Vec<&String> = declared.filter(|name| !used.contains(*name)).collect();
    assert!(dead.is_empty(), "no member uses {dead:?}; take them out of the workspace's manifest");
}

#[test]
fn each_from_outside_says_what_it_is_for() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).unwrap();
    let (_, table) = text.split_once("[workspace.dependencies]\n").unwrap();
    let lines = table.lines().take_while(|line| !line.starts_with('[')).filter(|line| line.contains(" = "));
    let silent: Vec<&str> = lines
        .filter(|line| {
            !line.contains("{ path = ") && line.split_once(" # ").is_none_or(|(_, why)| why.trim().is_empty())
        })
        .collect();
    assert!(silent.is_empty(), "say in a comment behind each what it is for:\n{}", silent.join("\n"));
}

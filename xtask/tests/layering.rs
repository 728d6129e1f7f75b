//! The folders are the architecture: which crate may know which.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::{BTreeMap, BTreeSet};

/// Tools and end-to-end tests: they may use every crate, and no other crate may use them.
const TOOLS: [&str; 6] = ["xtask", "kaliun-e2e", "kaliun-bench", "kaliun-fuzz", "kaliun-web-bundle", "kaliun-dev-ca"];

/// Each crate and those it uses; docs/ARCHITECTURE.md says what each is.
const ARROWS: [(&str, &[&str]); 11] = [
    ("kaliun-types", &[]),
    ("kaliun-proto", &[]),
    ("kaliun-domain", &["kaliun-types"]),
    ("kaliun-cluster", &[]),
    ("kaliun-store", &["kaliun-types", "kaliun-domain"]),
    ("kaliun-control-plane", &["kaliun-types", "kaliun-proto", "kaliun-domain", "kaliun-store", "kaliun-cluster"]),
    ("kaliun-edge", &["kaliun-types", "kaliun-proto"]),
    ("kaliun-edge-sim", &["kaliun-types", "kaliun-edge"]),
    ("kaliun-fleetctl", &["kaliun-types", "kaliun-proto"]),
    ("kaliun-web-ui", &["kaliun-types", "kaliun-proto"]),
    ("kaliun-mail-sink", &[]),
];

/// What tests use beyond that: a database, a mail server, and the crate itself with its test features.
const TEST_ARROWS: [(&str, &[&str]); 3] = [
    ("kaliun-cluster", &["kaliun-cluster"]),
    ("kaliun-store", &["kaliun-cluster"]),
    ("kaliun-control-plane", &["kaliun-mail-sink"]),
];

/// Crates from outside that only some of ours may use.
const RESERVED: [(&str, &[&str]); 5] = [
    // One crate speaks to the database, and one runs it.
    ("tokio-postgres", &["kaliun-store", "kaliun-cluster"]),
    ("tokio-postgres-rustls", &["kaliun-store"]),
    ("deadpool-postgres", &["kaliun-store"]),
    ("refinery", &["kaliun-store"]),
    ("rcgen", &["kaliun-control-plane", "kaliun-edge"]),
];

/// Crates of rules and of words: no runtime, no network, no clock.
const PURE: [&str; 2] = ["kaliun-types", "kaliun-domain"];

/// What has no place in a pure crate.
const IMPURE: [&str; 7] = ["tokio", "tonic", "hyper", "axum", "rustix", "tokio-postgres", "tracing"];

/// An arrow that should not be, in words.
fn judge(from: &str, to: &str, is_test: bool) -> Option<String> {
    if TOOLS.contains(&from) {
        return None;
    }
    if TOOLS.contains(&to) {
        return Some(format!("{from} uses the tool {to}"));
    }
    let lookup = |table: &[(&str, &'static [&'static str])]| {
        table.iter().find(|(name, _)| *name == from).map_or(&[][..], |(_, targets)| *targets)
    };
    let allowed = lookup(&ARROWS).contains(&to) || is_test && lookup(&TEST_ARROWS).contains(&to);
    (!allowed).then(|| format!("{from} must not use {to}{}", if is_test { ", not even in tests" } else { "" }))
}

#[test]
fn exactly_these_arrows_exist() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
    let members: BTreeMap<&str, _> = metadata.packages.iter().map(|package| (package.name.as_str(), package)).collect();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).chain(TOOLS).collect();
    let mut wrong = Vec::new();
    for (name, package) in &members {
        if !known.contains(name) {
            wrong.push(format!("{name} has no place in the layering yet"));
        }
        for dependency in &package.dependencies {
            let (to, is_test) = (dependency.name.as_str(), dependency.kind == DependencyKind::Development);
            if members.contains_key(to) {
                wrong.extend(judge(name, to, is_test));
            }
            let reserved = RESERVED.iter().find(|(crate_name, _)| *crate_name == to);
            let is_free = is_test || TOOLS.contains(name);
            if !is_free && reserved.is_some_and(|(_, users)| !users.contains(name)) {
                wrong.push(format!("{name} must leave {to} to others"));
            }
            if !is_test && PURE.contains(name) && IMPURE.contains(&to) {
                wrong.push(format!("{name} is pure and must not use {to}"));
            }
        }
    }
    for name in known.iter().filter(|name| !members.contains_key(**name)) {
        wrong.push(format!("{name} is in the layering but not in the workspace"));
    }
    // What no manifest has any more would let it come back unseen.
    for (from, to) in ARROWS.iter().chain(&TEST_ARROWS).flat_map(|(from, to)| to.iter().map(move |to| (from, to))) {
        let uses = |package: &&Package| package.dependencies.iter().any(|dependency| dependency.name == **to);
        if members.get(from).is_some_and(|package| !uses(package)) {
            wrong.push(format!("{from} does not use {to}; take the arrow out"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_arrow_is_seen() {
    assert_eq!(judge("kaliun-store", "kaliun-domain", false), None);
    assert_eq!(judge("kaliun-store", "kaliun-cluster", true), None);
    assert!(judge("kaliun-store", "kaliun-cluster", false).is_some());
    assert!(judge("kaliun-domain", "kaliun-store", false).is_some());
    assert!(judge("kaliun-edge", "kaliun-control-plane", true).is_some());
    assert!(judge("kaliun-edge", "xtask", false).is_some());
    assert_eq!(judge("xtask", "kaliun-cluster", false), None);
}

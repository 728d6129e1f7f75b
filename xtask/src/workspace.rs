//! The workspace this program belongs to.

use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs a fleet is made of.
pub(crate) const PROGRAMS: [&str; 4] = ["control-plane", "kaliun-edge", "kaliun-edge-sim", "fleetctl"];

/// The folder of the workspace.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("the task runner is not inside a workspace")?.to_owned())
}

/// Cargo, in the workspace's folder.
pub(crate) fn cargo() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()?);
    // What cargo told us of this very package would only make others build again.
    for (key, _) in std::env::vars_os() {
        if key.to_str().is_some_and(|key| key.starts_with("CARGO_PKG_") || key == "CARGO_MANIFEST_DIR") {
            command.env_remove(key);
        }
    }
    Ok(command)
}

/// Builds a tool of this workspace and returns its path. It is selected out of the whole workspace, as everything is in
/// development, so that its dependencies are those that all the others are built with.
pub(crate) fn tool(name: &str) -> anyhow::Result<PathBuf> {
    let status = cargo()?
        .args(["build", "--quiet", "--locked", "--workspace", "--bin", name])
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "{name} does not compile ({status})");
    Ok(target_folder()?.join("debug").join(name))
}

/// The folder cargo builds into.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    let folder = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    folder.map(PathBuf::from).context("cargo metadata names no target folder")
}

/// What cargo says of the workspace, without its dependencies.
pub(crate) fn metadata() -> anyhow::Result<serde_json::Value> {
    let output = cargo()?
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")
}

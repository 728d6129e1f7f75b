//! Where the programs under test are.

use anyhow::{Context as _, ensure};
use std::path::PathBuf;

/// The path of a program of this workspace, from the same build as the running test.
///
/// # Errors
/// It was not built.
pub fn built(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("the test does not know where it is")?;
    // <target>/debug/deps/<test>: the programs stand two folders up.
    let folder = test.parent().and_then(|deps| deps.parent()).context("the test is not in a target folder")?;
    let program = folder.join(name);
    ensure!(
        program.is_file(),
        "{} is not built; run `cargo xtask test`, or `cargo build --workspace`",
        program.display()
    );
    Ok(program)
}

/// The path of a program of the machine.
///
/// # Errors
/// It is not installed.
pub fn installed(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not installed; `cargo xtask test` installs it as root"))
}

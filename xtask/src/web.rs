//! Builds the web UI: compiles it to wasm, then packs it for serving.

mod toolchain;

use crate::workspace;
use anyhow::{Context as _, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use toolchain::Toolchain;

/// How much time to spend for how small a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Thin link-time optimisation: for development and tests.
    Development,
    /// Everything: what is shipped.
    Release,
}

/// Largest sum of brotli-compressed files of a first load, bytes: the project's budget of 0.35 MB.
const FIRST_LOAD_MAX_BYTES: usize = 350_000;

impl Mode {
    fn profile(self) -> &'static str {
        match self {
            Self::Development => "web-dev",
            Self::Release => "web",
        }
    }

    /// Flags for the compiler. Leptos with its components' types erased makes a smaller program.
    fn rustflags(self) -> &'static [&'static str] {
        match self {
            Self::Development => &["--cfg", "erase_components"],
            Self::Release => &["--cfg", "erase_components", "-Dwarnings"],
        }
    }
}

/// Builds the bundle and returns its folder: `KALIUN_WEB_DIST`, or `target/web` of the workspace.
///
/// The compiler's own files go to `KALIUN_WEB_TARGET_DIR`, or `target/web-build`: a folder apart, so that this build can run
/// beside another one. A build with nothing to do takes about a second.
///
/// # Errors
/// When the compiler for wasm is missing and cannot be installed, or a step fails.
pub(crate) fn build(mode: Mode) -> anyhow::Result<PathBuf> {
    let root = workspace::root()?;
    let target = compiled_folder(&root)?;
    let dist = folder_from_environment("KALIUN_WEB_DIST", &root, "target/web")?;
    let toolchain = Toolchain::find_or_install()?;
    compile(&toolchain, mode, &root, &target)?;
    let wasm = target.join("wasm32-unknown-unknown").join(mode.profile()).join("kaliun_web_ui.wasm");
    pack(&root, &wasm, &target.join("bundle.stamp"), &dist)?;
    Ok(dist)
}

/// Judges the web UI as browsers get it, with warnings denied, and returns what there is to say about the judge.
///
/// Natively only its `model` is compiled, so clippy of the whole workspace sees no more of it. What the build compiled for the
/// machine is used again; what is compiled for browsers is kept beside it.
///
/// # Errors
/// When there is a warning, or the compiler for wasm is missing and cannot be installed.
pub(crate) fn lint() -> anyhow::Result<Vec<String>> {
    let root = workspace::root()?;
    let target = compiled_folder(&root)?;
    let toolchain = Toolchain::find_or_install()?;
    let flags = Mode::Development.rustflags();
    if toolchain.has_clippy() {
        let mut command = cargo(&toolchain, "clippy", Mode::Development, flags, &root, &target);
        run(command.args(["--", "--deny", "warnings"]), "clippy finds fault with the web UI")?;
        return Ok(Vec::new());
    }
    let flags = [flags, &["-Dwarnings"]].concat();
    let mut command = cargo(&toolchain, "check", Mode::Development, &flags, &root, &target);
    run(&mut command, "the compiler finds fault with the web UI")?;
    Ok(vec!["by the compiler alone: Debian's toolchain for wasm comes without clippy".to_owned()])
}

fn compile(toolchain: &Toolchain, mode: Mode, root: &Path, target: &Path) -> anyhow::Result<()> {
    run(&mut cargo(toolchain, "build", mode, mode.rustflags(), root, target), "the web UI does not compile")
}

/// Cargo that is about to do something with the web UI as browsers get it.
fn cargo(toolchain: &Toolchain, deed: &str, mode: Mode, rustflags: &[&str], root: &Path, target: &Path) -> Command {
    let mut command = toolchain.cargo();
    command
        .current_dir(root)
        .args([deed, "--locked", "--package", "kaliun-web-ui", "--target", "wasm32-unknown-unknown"])
        .args(["--profile", mode.profile()])
        .args(toolchain.arguments())
        // Cargo takes these before all other flags, so that the same program comes out wherever it is built.
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags.join("\x1f"))
        .env("CARGO_TARGET_DIR", target);
    command
}

fn pack(root: &Path, wasm: &Path, stamp: &Path, dist: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(workspace::tool("kaliun-web-bundle")?);
    command
        .current_dir(root)
        .arg("--wasm")
        .arg(wasm)
        .arg("--assets")
        .arg(root.join("web-ui/assets"))
        .arg("--stamp")
        .arg(stamp)
        .arg("--first-load-max-bytes")
        .arg(FIRST_LOAD_MAX_BYTES.to_string())
        .arg("--out")
        .arg(dist);
    run(&mut command, "the web UI cannot be packed")
}

fn run(command: &mut Command, failure: &'static str) -> anyhow::Result<()> {
    let status =
        command.status().with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
    ensure!(status.success(), "{failure} ({status})");
    Ok(())
}

fn compiled_folder(root: &Path) -> anyhow::Result<PathBuf> {
    folder_from_environment("KALIUN_WEB_TARGET_DIR", root, "target/web-build")
}

fn folder_from_environment(variable: &str, root: &Path, fallback: &str) -> anyhow::Result<PathBuf> {
    match std::env::var_os(variable) {
        Some(folder) => std::path::absolute(folder).with_context(|| format!("{variable} is not a path")),
        None => Ok(root.join(fallback)),
    }
}

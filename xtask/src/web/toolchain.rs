//! A Rust compiler that can make wasm: rustup's target where it can be had, else Debian's compiler for web programs, which
//! builds the standard library from its source.

use anyhow::{Context as _, bail, ensure};
use std::path::Path;
use std::process::{Command, Stdio};

/// Debian's packages: compiler and cargo, the standard library's source, the linker for wasm.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld-22"];
/// The line for someone who may install.
const DEBIAN_LINE: &str = "sudo apt-get install --yes --no-install-recommends rustc-web rust-web-src lld-22";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-22";
/// Oldest compiler of Debian's that builds this workspace.
const DEBIAN_MINIMUM: (u32, u32) = (1, 95);

/// Where the compiler for wasm comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The ordinary toolchain, with the wasm target installed.
    Installed,
    /// Debian's `rustc-web`.
    Debian,
}

impl Toolchain {
    /// Takes what is there; else adds the target through rustup; else installs Debian's packages when allowed.
    pub(crate) fn find_or_install() -> anyhow::Result<Self> {
        if has_target() {
            return Ok(Self::Installed);
        }
        if debian_is_complete() {
            return Ok(Self::Debian);
        }
        if add_target() && has_target() {
            return Ok(Self::Installed);
        }
        install_debian()?;
        Ok(Self::Debian)
    }

    /// Cargo of this toolchain, free of what the surrounding cargo put into the environment.
    pub(crate) fn cargo(self) -> Command {
        match self {
            Self::Installed => Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            Self::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                for (key, _) in std::env::vars_os() {
                    let ours = key.to_str().is_some_and(|key| {
                        key == "CARGO"
                            || key == "LD_LIBRARY_PATH"
                            || key == "RUSTUP_TOOLCHAIN"
                            || key.starts_with("CARGO_PKG_")
                    });
                    if ours {
                        command.env_remove(key);
                    }
                }
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    // The standard library is built with the program, which stable compilers only do when told so.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
                command
            }
        }
    }

    /// Whether clippy comes with it.
    pub(crate) fn has_clippy(self) -> bool {
        match self {
            // `cargo xtask test` asks it of this toolchain for the other crates as well.
            Self::Installed => true,
            Self::Debian => false,
        }
    }

    /// What this cargo needs to be told beyond the ordinary.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Installed => &[],
            Self::Debian => &["-Z", "build-std=std,panic_abort"],
        }
    }
}

fn has_target() -> bool {
    let output =
        Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]).output();
    output.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn add_target() -> bool {
    // Where its server is out of reach rustup tries for minutes; one try is enough here.
    Command::new("timeout")
        .args(["60", "rustup", "target", "add", "wasm32-unknown-unknown"])
        .env("RUSTUP_MAX_RETRIES", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn debian_is_complete() -> bool {
    let source = Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]).output().is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success() && Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
    });
    source
        && Path::new(DEBIAN_CARGO).is_file()
        && Path::new(DEBIAN_LINKER).exists()
        && debian_version().is_some_and(|version| version >= DEBIAN_MINIMUM)
}

fn debian_version() -> Option<(u32, u32)> {
    let output = Command::new(DEBIAN_RUSTC).arg("--version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// Reads major and minor version out of "rustc 1.96.0 (…)".
fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn install_debian() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() || !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "the wasm compiler is missing. Run `rustup target add wasm32-unknown-unknown`, or on Debian:\n  {DEBIAN_LINE}"
        );
    }
    apt(&["update", "--quiet"])?;
    let mut arguments = vec!["install", "--yes", "--quiet", "--no-install-recommends"];
    arguments.extend(DEBIAN_PACKAGES);
    apt(&arguments)?;
    ensure!(
        debian_is_complete(),
        "Debian's packages {DEBIAN_PACKAGES:?} are installed, but the compiler is not complete"
    );
    Ok(())
}

fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdout(Stdio::null())
        .status()
        .context("cannot start apt-get")?;
    ensure!(status.success(), "apt-get {} failed ({status})", arguments.join(" "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compilers_version_is_read() {
        assert_eq!(parse_version("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some((1, 96)));
        assert_eq!(parse_version("rustc"), None);
    }
}

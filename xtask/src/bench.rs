//! `cargo xtask bench`: builds the control plane and the benchmarks, optimised, and runs the benchmarks.

use crate::machine::{self, Need};
use crate::workspace;
use anyhow::{Context as _, ensure};
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// What to measure, passed on as it is.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Provides what the servers need, builds and runs.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    machine::provide(&[Need::Compiler, Need::Postgres, Need::Mosquitto])?;
    let mut build = workspace::cargo()?;
    build.args(["build", "--release", "--locked", "--package", "kaliun-control-plane", "--package", "kaliun-bench"]);
    let status = build.status().context("cannot start cargo")?;
    ensure!(status.success(), "the build failed");
    let program = workspace::target_folder()?.join("release").join("kaliun-bench");
    let status = Command::new(&program)
        .args(&arguments.rest)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

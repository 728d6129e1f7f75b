//! `cargo xtask bench`: runs the benchmarks, optimised.

use crate::workspace;
use anyhow::Context as _;
use std::ffi::OsString;
use std::process::ExitCode;

/// What to measure, passed on as it is.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

/// Builds the benchmarks in the release profile and runs them.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut command = workspace::cargo()?;
    command.args(["run", "--release", "--locked", "--quiet", "--package", "kaliun-bench", "--"]).args(&arguments.rest);
    let status = command.status().context("cannot start cargo")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

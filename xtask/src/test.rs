//! `cargo xtask test`: proves everything, from a clean clone on.
//!
//! Clippy and the documentation share the checked dependencies, all tests share the built ones, and both are of the one
//! development profile. Everything is selected with `--workspace`, so that each dependency has one set of features and
//! is built once. The web UI comes first, for the control plane carries it.

mod phases;
mod runner;

use crate::machine::{self, Need, on_path};
use crate::{web, workspace};
use anyhow::{Context as _, ensure};
use phases::{Phases, run_and_collect};
use runner::Tests;

/// How to prove it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Leave out the end-to-end tests, and with them the browser.
    #[arg(long)]
    no_e2e: bool,
}

/// Runs every phase and ends with what each took. The first that fails ends it.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut phases = Phases::new();
    let result = run_phases(arguments, &mut phases);
    phases.show(result.is_ok());
    result
}

fn run_phases(arguments: &Arguments, phases: &mut Phases) -> anyhow::Result<()> {
    phases.run("machine", || {
        let needs: &[Need] = if arguments.no_e2e {
            &[Need::Compiler, Need::Postgres, Need::OpenSsl, Need::Node]
        } else {
            &[Need::Compiler, Need::Postgres, Need::OpenSsl, Need::Node, Need::Browser]
        };
        machine::provide(needs)?;
        Ok(Vec::new())
    })?;
    phases.run("format", || plain(&["fmt", "--all", "--check"], &[]))?;
    if on_path("cargo-deny").is_some() {
        phases.run("licences", || plain(&["deny", "check", "bans", "licenses", "sources"], &[]))?;
    } else {
        phases.skip("licences", "cargo-deny is not installed; `cargo install --locked cargo-deny` brings it");
    }
    phases.run("web UI", || {
        web::build(web::Mode::Development)?;
        Ok(Vec::new())
    })?;
    phases.run("clippy", || {
        plain(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"], &[])
    })?;
    phases.run("clippy for browsers", web::lint)?;
    phases.run("documentation", || {
        let arguments = ["doc", "--workspace", "--no-deps", "--locked", "--document-private-items"];
        plain(&arguments, &[("RUSTDOCFLAGS", "--deny warnings")])
    })?;
    // Built apart, so that the minutes of the tests are the tests' own. The end-to-end tests start these programs.
    phases.run("build", || plain(&["build", "--workspace", "--all-targets", "--locked"], &[]))?;
    phases.run("tests", || runner::run(Tests::Others))?;
    phases.run("examples in documentation", || {
        let mut command = workspace::cargo()?;
        command.args(["test", "--workspace", "--doc", "--locked", "--quiet"]);
        run_and_collect(&mut command, |_| false)
    })?;
    if !arguments.no_e2e {
        phases.run("end to end", || runner::run(Tests::EndToEnd))?;
    }
    Ok(())
}

/// Runs cargo, letting it speak for itself.
fn plain(arguments: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
    let mut command = workspace::cargo()?;
    command.args(arguments).envs(environment.iter().copied());
    let status = command.status().context("cannot start cargo")?;
    ensure!(status.success(), "cargo {} failed ({status})", arguments.join(" "));
    Ok(Vec::new())
}

//! The command line of Kaliun Fleet, as a library so that tests drive the same code as people do.
//!
//! [`run`] takes the arguments and a [`Program`] (environment, console, clocks) and gives the exit code. Standard output is
//! data, standard error is talk; `docs/howto/fleetctl-json.md` is the contract for programs that read the data.

pub mod cli;
mod client;
mod commands;
mod config;
pub mod console;
pub mod environment;
mod failure;
mod output;
mod settings;
mod view;

use crate::console::Console;
use crate::environment::Environment;
use crate::failure::{Failure, Kind};
use clap::{CommandFactory as _, FromArgMatches as _};
use std::ffi::OsString;
use std::time::Duration;

/// Everything outside the process that a command touches, but for the network and the configuration file.
pub struct Program {
    /// Variables that fleetctl honours.
    pub environment: Environment,
    /// Where data, talk and answers go and come from.
    pub console: Console,
    /// The wall clock: milliseconds since the Unix epoch.
    pub clock: fn() -> i64,
    /// How long a second lasts while a person is waited for: one second, but for tests.
    pub second: Duration,
}

/// Runs one command line (program name first) and gives the exit code of the process.
pub async fn run(arguments: impl IntoIterator<Item = OsString>, program: &mut Program) -> u8 {
    let done = match parse(arguments, program) {
        Ok(Some(cli)) => {
            program.console.decide_color(cli.global.color, &program.environment);
            Box::pin(commands::run(cli, program)).await
        }
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    let done = done.and_then(|()| program.console.flush());
    match done {
        Ok(()) => Kind::Success.exit_code(),
        Err(failure) => {
            program.console.report(&failure);
            failure.kind.exit_code()
        }
    }
}

/// Reads the arguments; `None` when clap has answered by itself (help, version).
fn parse(arguments: impl IntoIterator<Item = OsString>, program: &mut Program) -> Result<Option<cli::Cli>, Failure> {
    let parsed =
        cli::Cli::command().try_get_matches_from(arguments).and_then(|matches| cli::Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => Ok(Some(cli)),
        Err(error) if !error.use_stderr() => {
            program.console.print(&error.render().to_string())?;
            Ok(None)
        }
        Err(error) => Err(failure::from_clap(&error)),
    }
}

//! `fleetctl completion` and `fleetctl man`.

use crate::Program;
use crate::cli::Cli;
use crate::failure::{Failure, Kind};
use clap::CommandFactory as _;
use std::path::Path;

/// Prints a completion script.
pub(super) fn completion(program: &mut Program, shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fleetctl", &mut script);
    program.console.print(&String::from_utf8_lossy(&script))
}

/// Writes one manual page for each command into a folder.
pub(super) fn man(program: &mut Program, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder)).map_err(
        |error| {
            Failure::new(
                Kind::General,
                format!("cannot write manual pages into {}: {error}", folder.display()),
                "name a folder that you may write to",
            )
        },
    )?;
    program.console.talk(&format!("Read them with `man -l {}`.", folder.join("fleetctl.1").display()));
    Ok(())
}

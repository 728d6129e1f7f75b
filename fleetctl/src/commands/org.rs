//! `fleetctl org`.

mod joining;

use crate::Program;
use crate::cli::{Global, OrgCommand};
use crate::failure::Failure;

/// Runs one of the subcommands.
pub(super) async fn run(program: &mut Program, global: &Global, command: OrgCommand) -> Result<(), Failure> {
    match command {
        OrgCommand::Domain(command) => joining::domain(program, global, command).await,
        OrgCommand::ClaimRule(command) => joining::claim_rule(program, global, command).await,
    }
}

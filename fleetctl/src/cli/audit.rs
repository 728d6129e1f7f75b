//! `fleetctl audit`.

use super::Output;
use clap::Subcommand;

/// What is wrong, and who did what.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what is wrong with what devices are known by, gravest first, each with the command that mends it. Ends with 8 when there is
    /// anything.
    Posture(Output),
}

//! `fleetctl ca`.

use super::Output;
use clap::{Args, Subcommand};

/// The certificate authorities for devices.
#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Show which authority counts, and how far a rotation has come.
    Status(Output),
    /// List devices that have not come along in this phase.
    Stragglers(CaStragglers),
    /// Change from one authority to the next, phase by phase.
    #[command(subcommand)]
    Rotate(CaRotate),
}

/// List devices that have not come along.
#[derive(Debug, Args)]
pub(crate) struct CaStragglers {
    /// Longest list.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Change from one authority to the next.
#[derive(Debug, Subcommand)]
pub(crate) enum CaRotate {
    /// Make a new authority, and bring the devices to believe it.
    Start(CaStep),
    /// Go on to the next phase, once all devices have come along.
    Advance(CaStep),
    /// Go back to the phase before.
    Rollback(CaStep),
}

/// One step.
#[derive(Debug, Args)]
pub(crate) struct CaStep {
    /// Take the step though devices have not come along.
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

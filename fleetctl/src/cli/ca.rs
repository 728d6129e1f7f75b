//! `fleetctl ca`.

use super::{ListArguments, Output, duration};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// The certificate authorities for devices.
#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Show which authority counts, and how far a rotation has come.
    Status(Output),
    /// List devices of all organizations that have not come along in this phase.
    Stragglers(CaStragglers),
    /// Change from one authority to the next, phase by phase.
    #[command(subcommand)]
    Rotate(CaRotate),
    /// Take a trust bundle to where its key is kept, and bring it back signed.
    #[command(subcommand)]
    Bundle(CaBundle),
}

/// A trust bundle whose key is kept elsewhere.
#[derive(Debug, Subcommand)]
pub(crate) enum CaBundle {
    /// Write the trust bundle that waits for its signature into a file.
    Unsigned(CaBundleUnsigned),
    /// Bring it signed; the rotation goes on.
    Submit(CaBundleSubmit),
}

/// Write the trust bundle that waits.
#[derive(Debug, Args)]
pub(crate) struct CaBundleUnsigned {
    /// File to write; it must not exist. It holds no secret.
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Bring it signed.
#[derive(Debug, Args)]
pub(crate) struct CaBundleSubmit {
    /// File from `control-plane ca sign-bundle`.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// List devices that have not come along.
#[derive(Debug, Args)]
pub(crate) struct CaStragglers {
    /// List devices that hold up the way back instead: those that have a certificate of the next authority.
    #[arg(long)]
    pub(crate) backwards: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Change from one authority to the next.
#[derive(Debug, Subcommand)]
pub(crate) enum CaRotate {
    /// Make a new authority, and bring the devices to believe it.
    Start(CaStart),
    /// Go on to the next phase, once all devices have come along.
    Advance(CaStep),
    /// Go back to the phase before.
    Rollback(CaStep),
    /// Let it stand still: it goes on neither by itself nor by advance.
    Pause(CaPause),
    /// Let it go on after a pause.
    Resume(CaResume),
}

/// The first step.
#[derive(Debug, Args)]
pub(crate) struct CaStart {
    /// Go on by itself, phase by phase, to the end.
    #[arg(long)]
    pub(crate) automatic: bool,
    /// How long devices that have not come along are waited for in each phase: 10m to 365d.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "7d", requires = "automatic")]
    pub(crate) grace: Duration,
    /// Start though it is the last rotation that boxes have room for.
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
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

/// A pause.
#[derive(Debug, Args)]
pub(crate) struct CaPause {
    /// Why, for whoever looks: 1 to 200 characters.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The end of a pause.
#[derive(Debug, Args)]
pub(crate) struct CaResume {
    #[command(flatten)]
    pub(crate) output: Output,
}

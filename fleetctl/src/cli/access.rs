//! `fleetctl access`.

use super::installation::parse_home;
use super::target::id_after_noun;
use super::{ListArguments, Output, duration};
use clap::{Args, Subcommand};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  fleetctl access request installation/'Lake house' --reason 'The heating does not start' --for 4h --wait
  fleetctl access list --open
  fleetctl access approve 018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11";

/// Support's way into a home, with its owner's consent and for a time.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum AccessCommand {
    /// Ask the owners of a home to let you in.
    Request(AccessRequest),
    /// List who asked, who is in and who was, newest first.
    List(AccessList),
    /// Let somebody into your home, after showing who asks, why and for how long.
    Approve(AccessApprove),
    /// Keep somebody out.
    Deny(AccessDecided),
    /// End an access before its time.
    End(AccessDecided),
}

/// Ask the owners of a home.
#[derive(Debug, Args)]
pub(crate) struct AccessRequest {
    /// The home, by name or id.
    #[arg(value_name = "installation/NAME", value_parser = parse_home)]
    pub(crate) installation: String,
    /// Why, for the owners to read.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// For how long from their yes on: 15m to 7d.
    #[arg(long = "for", value_name = "TIME", default_value = "4h", value_parser = duration::parse)]
    pub(crate) time: Duration,
    /// Wait until somebody decides. A no ends with 4, nobody's answer with 6.
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// List accesses.
#[derive(Debug, Args)]
pub(crate) struct AccessList {
    /// Only those that wait or hold.
    #[arg(long)]
    pub(crate) open: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Let somebody in.
#[derive(Debug, Args)]
pub(crate) struct AccessApprove {
    /// The access, by id, from `fleetctl access list`.
    #[arg(value_name = "ID", value_parser = parse_access)]
    pub(crate) access: String,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Keep somebody out.
#[derive(Debug, Args)]
pub(crate) struct AccessDecided {
    /// The access, by id, from `fleetctl access list`.
    #[arg(value_name = "ID", value_parser = parse_access)]
    pub(crate) access: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_access(text: &str) -> Result<String, String> {
    id_after_noun("access", text, "an id from `fleetctl access list`")
}

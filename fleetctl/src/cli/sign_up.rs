//! `fleetctl sign-up`.

use super::Output;
use super::target::after_noun;
use clap::{Args, Subcommand};

/// People who asked for an account of this server and have not confirmed their address; `fleetctl get sign-ups` lists them.
#[derive(Debug, Subcommand)]
pub(crate) enum SignUpCommand {
    /// Make the account, after showing who asks.
    Approve(SignUpApprove),
    /// Forget who asked.
    Deny(SignUpDeny),
}

/// Make the account.
#[derive(Debug, Args)]
pub(crate) struct SignUpApprove {
    /// Who, by id or address, from `fleetctl get sign-ups`.
    #[arg(value_name = "ID|EMAIL", value_parser = parse_sign_up)]
    pub(crate) sign_up: String,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Forget who asked.
#[derive(Debug, Args)]
pub(crate) struct SignUpDeny {
    /// Who, by id or address, from `fleetctl get sign-ups`.
    #[arg(value_name = "ID|EMAIL", value_parser = parse_sign_up)]
    pub(crate) sign_up: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_sign_up(text: &str) -> Result<String, String> {
    after_noun("sign-up", text, "an id or address from `fleetctl get sign-ups`")
}

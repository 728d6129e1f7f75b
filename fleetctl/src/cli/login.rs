//! `fleetctl login`.

use super::Output;
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  fleetctl login --server https://fleet.example.org
  fleetctl login --server https://fleet.example.org --token-file /run/secrets/fleet
  fleetctl login --context work";

/// Sign in.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Login {
    /// Sign in with an API token: typed unseen, or read from standard input where that is no terminal.
    #[arg(long, group = "with_token")]
    pub(crate) token: bool,
    /// Sign in with an API token from standard input, whatever that is.
    #[arg(long, group = "with_token")]
    pub(crate) token_stdin: bool,
    /// Sign in with the API token in a file.
    #[arg(long, value_name = "FILE", group = "with_token")]
    pub(crate) token_file: Option<PathBuf>,
    /// Also show the address with the code as a QR code.
    #[arg(long, conflicts_with = "with_token")]
    pub(crate) qr: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

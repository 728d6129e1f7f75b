//! `fleetctl account` and `fleetctl session`.

use super::Output;
use super::target::id_after_noun;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Your own account. Password and address are changed in the browser.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Show it.
    Show(Output),
    /// Change what you are called.
    Rename {
        /// The new name: 1 to 80 characters.
        new_name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Write all that the server keeps of you, as JSON.
    Export(AccountExport),
}

/// Write all that the server keeps of you.
#[derive(Debug, Args)]
pub(crate) struct AccountExport {
    /// File to write in place of standard output; it must not exist. Nobody but you can read it.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Where you are signed in; `fleetctl get sessions` lists them.
#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// End one, or all but this one; what it was doing stops within a second.
    Revoke(SessionRevoke),
}

/// End sessions.
#[derive(Debug, Args)]
pub(crate) struct SessionRevoke {
    /// The session, by id, from `fleetctl get sessions`.
    #[arg(value_name = "ID", value_parser = parse_session, required_unless_present = "others")]
    pub(crate) session: Option<String>,
    /// End all but the one that asks.
    #[arg(long, conflicts_with = "session")]
    pub(crate) others: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_session(text: &str) -> Result<String, String> {
    id_after_noun("session", text, "an id from `fleetctl get sessions`")
}

//! `fleetctl context`.

use super::Output;
use clap::{Args, Subcommand};

/// The servers that fleetctl knows.
#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// List them.
    List(Output),
    /// Make one the current one.
    Use {
        /// Its name.
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Make or change one, with --server and --ca. It gets its token by `fleetctl login`.
    Set(ContextSet),
    /// Forget one.
    Delete {
        /// Its name.
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Show one; the current one when no name is given.
    Show {
        /// Its name.
        name: Option<String>,
        #[command(flatten)]
        output: Output,
    },
}

/// Make or change a context.
#[derive(Debug, Args)]
pub(crate) struct ContextSet {
    /// Its name.
    pub(crate) name: String,
    /// Also make it the current one.
    #[arg(long = "use")]
    pub(crate) make_current: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

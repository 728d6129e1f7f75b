//! How lists are asked for.

use super::Output;
use clap::Args;

/// How to list.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    pub(crate) output: Output,
    /// Longest list.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Go on after an earlier list: its next_page_token.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page_token: Option<String>,
}

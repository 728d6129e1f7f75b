//! `fleetctl join-token` and `fleetctl api-token`.

use super::pair::{LabelPair, parse_pair};
use super::target::{parse_api_token, parse_join_token};
use super::{ListArguments, Output, duration};
use clap::{Args, Subcommand, ValueEnum};
use std::time::Duration;

/// Tokens that boxes enrol with.
#[derive(Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Make one; it is printed once and stored nowhere.
    Create(JoinTokenCreate),
    /// List them, without their secrets.
    List(ListArguments),
    /// Refuse one from now on. Boxes that enrolled with it stay.
    Revoke {
        /// The token, by id or description.
        #[arg(value_name = "ID", value_parser = parse_join_token)]
        token: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Make a join token.
#[derive(Debug, Args)]
pub(crate) struct JoinTokenCreate {
    /// What it is for.
    #[arg(long, default_value = "made with fleetctl")]
    pub(crate) description: String,
    /// How long boxes may enrol with it: a minute to a year.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration::parse)]
    pub(crate) lifetime: Duration,
    /// How many boxes may enrol with it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) uses: u32,
    /// A label for its boxes, KEY=VALUE; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub(crate) labels: Vec<LabelPair>,
    /// The group of its boxes: the label `group`.
    #[arg(long, value_name = "NAME", value_parser = parse_group)]
    pub(crate) group: Option<String>,
    /// What its boxes are called, such as shop-{serial} or box-{n}; {hostname}, {model} and {key} are known, too.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) name_pattern: Option<String>,
    /// Let each box wait until somebody takes it in with `fleetctl enrollment approve`.
    #[arg(long)]
    pub(crate) approval: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Tokens that people and automation sign in with.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiTokenCommand {
    /// Make one; it is printed once and stored nowhere.
    Create(ApiTokenCreate),
    /// List them, without their secrets.
    List(ListArguments),
    /// Refuse one from now on.
    Revoke {
        /// The token, by id or name.
        #[arg(value_name = "ID", value_parser = parse_api_token)]
        token: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Make an API token.
#[derive(Debug, Args)]
pub(crate) struct ApiTokenCreate {
    /// What it is called.
    pub(crate) name: String,
    /// What it may do; not more than you may.
    #[arg(long, value_enum)]
    pub(crate) role: RoleWord,
    /// How long it is valid: a minute to a year.
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = duration::parse)]
    pub(crate) lifetime: Duration,
    /// A home that it reaches, by name or id, and nothing else then; may be given several times.
    #[arg(long = "installation", value_name = "NAME|ID", value_parser = super::installation::parse_home)]
    pub(crate) installations: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A group is a label's value.
fn parse_group(text: &str) -> Result<String, String> {
    if !text.is_empty() && kaliun_types::label::is_value(text) {
        return Ok(text.to_owned());
    }
    Err("a group has 1 to 63 characters of A-Z a-z 0-9 . _ -".to_owned())
}

/// Roles, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleWord {
    /// May look.
    Viewer,
    /// May look, and help in homes whose owners consent.
    Support,
    /// May change the fleet.
    Operator,
    /// May do everything.
    Admin,
}

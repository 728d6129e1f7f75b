//! `fleetctl audit`.

use super::{Format, Output, moment};
use clap::{Args, Subcommand, ValueEnum};
use moment::Moment;
use std::path::PathBuf;

/// What is wrong, and who did what.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what is wrong with what devices are known by, gravest first, each with the command that mends it. Ends with 8 when there is
    /// anything.
    Posture(Output),
    /// List who did what, newest first, or follow it.
    Log(AuditLog),
    /// Verify that nothing of the record was changed, taken away or made anew. Ends with 8 when something was.
    Verify(AuditVerify),
}

/// Forms of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Columns that fit the terminal.
    Table,
    /// All columns, with absolute times.
    Wide,
    /// The documented contract for programs.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// As JSON, written as YAML.
    Yaml,
    /// For a spreadsheet: comma-separated, with a line of names first.
    Csv,
}

/// Who did what.
#[derive(Debug, Args)]
pub(crate) struct AuditLog {
    /// Only what was done by those whose name has this in it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) actor: Option<String>,
    /// Only actions that begin so, for example device. or device.update.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) action: Option<String>,
    /// Only what was done to this: `device/NAME`, or NOUN/ID of anything.
    #[arg(long, value_name = "NOUN/ID")]
    pub(crate) target: Option<String>,
    /// Only what one request did: the id that errors show.
    #[arg(long, value_name = "ID")]
    pub(crate) request: Option<String>,
    /// Only what was done since: how long ago, for example 24h, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, conflicts_with = "follow")]
    pub(crate) since: Option<Moment>,
    /// Only what was done before: how long ago, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = moment::parse, conflicts_with = "follow")]
    pub(crate) until: Option<Moment>,
    /// Show the last ones, oldest first, and then what is done, until it is interrupted. Not as yaml.
    #[arg(long, short, conflicts_with = "page_token")]
    pub(crate) follow: bool,
    /// Form of the answer. With --follow, json is one object a line.
    #[arg(long, short, value_enum, default_value_t = LogFormat::Table, value_name = "FORM")]
    pub(crate) output: LogFormat,
    /// Longest list. Without, 50, and 10 with --follow.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// All there is, however long.
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Go on after an earlier list: its next_page_token.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) page_token: Option<String>,
}

/// Verify the record.
#[derive(Debug, Args)]
pub(crate) struct AuditVerify {
    /// Checkpoints that were kept outside of the database: audit-checkpoints.jsonl of a control plane, or a copy. May stand several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Vec<PathBuf>,
    /// Remember the chain and the keys as they are now, though they are not those of the last verification: after a restored backup.
    #[arg(long)]
    pub(crate) accept: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl LogFormat {
    /// The form that lists of all things have, where it is one of those.
    pub(crate) const fn as_format(self) -> Option<Format> {
        match self {
            Self::Table => Some(Format::Table),
            Self::Wide => Some(Format::Wide),
            Self::Json => Some(Format::Json),
            Self::Yaml => Some(Format::Yaml),
            Self::Jsonl | Self::Csv => None,
        }
    }
}

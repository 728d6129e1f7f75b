//! `fleetctl get`.

use super::Output;
use super::target::{Target, TargetParser};
use clap::Args;
use kaliun_types::limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use kaliun_types::selector::Selector;

const EXAMPLES: &str = "\
Examples:
  fleetctl get devices
  fleetctl get devices -l site=graz,!retired --sort-by health
  fleetctl get devices --watch
  fleetctl get device cellar-1 attic-2 -o wide
  fleetctl get device/cellar-1 -o json
  fleetctl get events device/cellar-1
  fleetctl get join-tokens
  fleetctl get mails --state given-up";

/// List devices, tokens, homes, events, sessions, sign-ups or mails.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Get {
    /// What to list, or one thing as NOUN/NAME.
    #[arg(value_name = "NOUN[/NAME]", value_parser = TargetParser)]
    pub(crate) target: Target,
    /// Names or ids, or further NOUN/NAME.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) devices: DeviceFilter,
    /// Only mails that are so far.
    #[arg(long, value_enum, value_name = "STATE", help_heading = "Mails only")]
    pub(crate) state: Option<MailStateWord>,
    /// Longest list.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// How many to ask the server for at once.
    #[arg(long, value_name = "N", default_value_t = PAGE_SIZE_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_SIZE_MAX)))]
    pub(crate) chunk_size: u32,
    /// Go on after an earlier list: its next_page_token, with the same selector and order.
    #[arg(long, value_name = "TOKEN", conflicts_with = "watch")]
    pub(crate) page_token: Option<String>,
}

/// Which devices, in which order.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Devices only")]
pub(crate) struct DeviceFilter {
    /// Only devices with these labels, for example site=graz,env in (lab,home),!retired.
    #[arg(long, short = 'l', value_name = "SELECTOR", value_parser = parse_selector)]
    pub(crate) selector: Option<Selector>,
    /// Only devices in this state.
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) link: Option<LinkWord>,
    /// Order: name, health, link, enrolled, or any field of the JSON form such as last_sample.values.cpu_busy_ratio.
    #[arg(long, value_name = "FIELD")]
    pub(crate) sort_by: Option<String>,
    /// Follow the changes until interrupted.
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
}

/// State of a device's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LinkWord {
    /// Connected.
    Online,
    /// Not connected.
    Offline,
}

/// How far a mail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum MailStateWord {
    /// To be sent, for the first time or again.
    Waiting,
    /// The mail server took it.
    Sent,
    /// Not to be sent any more.
    GivenUp,
}

fn parse_selector(text: &str) -> Result<Selector, String> {
    Selector::parse(text).map_err(|error| error.to_string())
}

//! `fleetctl installation`.

use super::target::named;
use super::{ListArguments, Output};
use clap::{Args, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  fleetctl get installations
  fleetctl installation create 'Lake house' --time-zone Europe/Vienna
  fleetctl installation people 'Lake house'
  fleetctl installation person set 'Lake house' ben@example.org --role installer
  fleetctl installation delete installation/'Lake house'";

/// Homes, and who lives there.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum InstallationCommand {
    /// List them.
    List(ListArguments),
    /// Make one.
    Create {
        /// Its name: 1 to 80 characters.
        name: String,
        /// Its time zone, for example Europe/Vienna; UTC when left out.
        #[arg(long, value_name = "ZONE")]
        time_zone: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Give one another name.
    Rename {
        /// The home, by name or id.
        #[arg(value_name = "NAME|ID", value_parser = parse_home)]
        installation: String,
        /// The new name: 1 to 80 characters.
        new_name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Set its time zone.
    Set {
        /// The home, by name or id.
        #[arg(value_name = "NAME|ID", value_parser = parse_home)]
        installation: String,
        /// Its time zone, for example Europe/Vienna.
        #[arg(long, value_name = "ZONE")]
        time_zone: String,
        #[command(flatten)]
        output: Output,
    },
    /// Delete one that no box serves.
    Delete {
        /// The home, as installation/NAME or installation/ID.
        #[arg(value_name = "installation/NAME", value_parser = parse_deletable_home)]
        installation: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// List the people of a home.
    People {
        /// The home, by name or id.
        #[arg(value_name = "NAME|ID", value_parser = parse_home)]
        installation: String,
        #[command(flatten)]
        list: ListArguments,
    },
    /// Change or end what somebody may do in a home. `fleetctl org invite` brings people in.
    #[command(subcommand)]
    Person(PersonCommand),
}

/// Change or end what somebody may do in a home.
#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Give somebody another role.
    Set {
        #[command(flatten)]
        whom: PersonOfHome,
        /// What they may do there from now on.
        #[arg(long, value_enum)]
        role: HomeRoleWord,
        #[command(flatten)]
        output: Output,
    },
    /// Take somebody out of the home.
    Remove {
        #[command(flatten)]
        whom: PersonOfHome,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// Somebody in a home.
#[derive(Debug, Args)]
pub(crate) struct PersonOfHome {
    /// The home, by name or id.
    #[arg(value_name = "NAME|ID", value_parser = parse_home)]
    pub(crate) installation: String,
    /// The person, by address.
    #[arg(value_name = "EMAIL", value_parser = parse_person)]
    pub(crate) person: String,
}

/// Roles in a home, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HomeRoleWord {
    /// Lives there: sees the home.
    Member,
    /// Sets it up: brings boxes in and gives them names.
    Installer,
    /// It is theirs: all that can be done with the home, its people and its boxes.
    Owner,
}

/// With or without `installation/` before it.
pub(crate) fn parse_home(text: &str) -> Result<String, String> {
    named("installation", text, "a name or id from `fleetctl get installations`")
}

/// What cannot be taken back wants the noun spelled out, as for devices.
fn parse_deletable_home(text: &str) -> Result<String, String> {
    match text.strip_prefix("installation/") {
        Some("") => Err("a name is missing after installation/".to_owned()),
        Some(name) => Ok(name.to_owned()),
        None => Err(format!("write installation/{text} to mean the home of that name")),
    }
}

fn parse_person(text: &str) -> Result<String, String> {
    named("person", text, "an address from `fleetctl installation people NAME`")
}

//! `fleetctl org`.

use super::target::{after_noun, named};
use super::{HomeRoleWord, ListArguments, Output, RoleWord};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  fleetctl org list
  fleetctl org use Acme
  fleetctl org create 'Our house' --home-name House --time-zone Europe/Vienna --use
  fleetctl org invite anna@example.org --role operator
  fleetctl org invite ben@example.org --home 'Lake house' --home-role owner
  fleetctl org member set anna@example.org --role admin";

/// Organizations: their people, and which one to act in.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum OrgCommand {
    /// List those that you have to do with.
    List(ListArguments),
    /// Let a context act in one.
    Use {
        /// The organization, by name or id.
        #[arg(value_name = "NAME|ID", value_parser = parse_org)]
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Make one with you as its admin, and with a first home.
    Create(OrgCreate),
    /// Give the organization that you act in another name.
    Rename {
        /// The new name: 1 to 80 characters.
        new_name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Leave the organization that you act in.
    Leave {
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// List the people who have a role in the whole organization.
    Members(ListArguments),
    /// Change or end what somebody may do in the whole organization.
    #[command(subcommand)]
    Member(MemberCommand),
    /// Invite somebody to the organization, or to one of its homes.
    Invite(OrgInvite),
    /// List the invitations that nobody has accepted.
    Invitations(ListArguments),
    /// Take an invitation back, or accept one.
    #[command(subcommand)]
    Invitation(InvitationCommand),
}

/// Make an organization.
#[derive(Debug, Args)]
pub(crate) struct OrgCreate {
    /// Its name: 1 to 80 characters.
    pub(crate) name: String,
    /// Name of its first home.
    #[arg(long, value_name = "NAME")]
    pub(crate) home_name: Option<String>,
    /// Time zone of its first home, for example Europe/Vienna.
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
    /// Also let the context act in it.
    #[arg(long = "use")]
    pub(crate) make_current: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Change or end what somebody may do.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// Give somebody another role.
    Set {
        /// The person, by address.
        #[arg(value_name = "EMAIL", value_parser = parse_member)]
        member: String,
        /// What they may do from now on.
        #[arg(long, value_enum)]
        role: RoleWord,
        #[command(flatten)]
        output: Output,
    },
    /// Take somebody out of the organization and out of its homes.
    Remove {
        /// The person, by address.
        #[arg(value_name = "EMAIL", value_parser = parse_member)]
        member: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
}

/// Invite somebody.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("to_what").required(true).args(["role", "home"]))]
pub(crate) struct OrgInvite {
    /// Their address.
    pub(crate) email: String,
    /// What they may do in the whole organization; not more than you may.
    #[arg(long, value_enum)]
    pub(crate) role: Option<RoleWord>,
    /// The home that they are invited to, by name or id.
    #[arg(long, value_name = "NAME|ID", requires = "home_role", value_parser = super::installation::parse_home)]
    pub(crate) home: Option<String>,
    /// What they may do in that home.
    #[arg(long, value_enum, requires = "home", conflicts_with = "role", value_name = "ROLE")]
    pub(crate) home_role: Option<HomeRoleWord>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Take an invitation back, or accept one.
#[derive(Debug, Subcommand)]
pub(crate) enum InvitationCommand {
    /// Take one back; nobody can accept it any more.
    Revoke {
        /// The invitation, by id or address, from `fleetctl org invitations`.
        #[arg(value_name = "ID", value_parser = parse_invitation)]
        invitation: String,
        #[command(flatten)]
        output: Output,
    },
    /// Accept one that you have got.
    Accept {
        /// The link, or what follows `#` in it; asked for, or read from standard input, when left out. Others on this machine can see what is typed here.
        #[arg(value_name = "LINK")]
        link: Option<String>,
        /// Also let the context act in that organization.
        #[arg(long = "use")]
        make_current: bool,
        #[command(flatten)]
        output: Output,
    },
}

fn parse_org(text: &str) -> Result<String, String> {
    named("org", text, "a name or id from `fleetctl org list`")
}

fn parse_member(text: &str) -> Result<String, String> {
    named("member", text, "an address from `fleetctl org members`")
}

fn parse_invitation(text: &str) -> Result<String, String> {
    after_noun("invitation", text, "an id or address from `fleetctl org invitations`")
}

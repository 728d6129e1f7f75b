//! `fleetctl org`.

use super::{ClaimRuleCommand, DomainCommand};
use clap::Subcommand;

/// Who belongs to the organization.
#[derive(Debug, Subcommand)]
pub(crate) enum OrgCommand {
    /// Domains that are the organization's; whoever signs in through a provider with a confirmed address there becomes a member.
    #[command(subcommand)]
    Domain(DomainCommand),
    /// Rules by which what a provider says of somebody gives a role.
    #[command(subcommand)]
    ClaimRule(ClaimRuleCommand),
}

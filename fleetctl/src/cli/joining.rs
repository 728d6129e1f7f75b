//! `fleetctl org domain` and `fleetctl org claim-rule`.

use super::{Output, RoleWord};
use clap::{Args, Subcommand};

/// Domains of the organization.
#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// Say that a domain is the organization's; the answer says which TXT record shows it.
    Add {
        /// The domain, for example example.org.
        name: String,
        /// What newcomers become: viewer, support or operator.
        #[arg(long, value_enum, default_value_t = RoleWord::Viewer)]
        role: RoleWord,
        #[command(flatten)]
        output: Output,
    },
    /// Look whether the record is there; from then on the domain brings people in.
    Verify {
        /// The domain.
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// List them.
    List(Output),
    /// Give one up. Who became a member by it stays one.
    Remove {
        /// The domain.
        name: String,
        #[command(flatten)]
        output: Output,
    },
    /// Say for an organization of this server that a domain is its own, without a record. For admins of the server.
    Confirm {
        /// The domain.
        name: String,
        /// The organization that said it is its own, by id.
        #[arg(long, value_name = "ID")]
        of: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Rules by which claims give roles.
#[derive(Debug, Subcommand)]
pub(crate) enum ClaimRuleCommand {
    /// Make one.
    Create(ClaimRuleCreate),
    /// List them.
    List(Output),
    /// Take one away. Who has a role by it loses it when they sign in next.
    Delete {
        /// The rule, by id.
        #[arg(value_name = "ID", value_parser = parse_claim_rule)]
        id: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Make a claim rule.
#[derive(Debug, Args)]
pub(crate) struct ClaimRuleCreate {
    /// What the provider has to say, CLAIM=VALUE, for example groups=crew; a claim inside another by its path, realm_access.roles=crew.
    #[arg(value_name = "CLAIM=VALUE", value_parser = parse_claim)]
    pub(crate) claim: (String, String),
    /// The provider, as its button's address names it.
    #[arg(long)]
    pub(crate) provider: String,
    /// What those are of whom it is said.
    #[arg(long, value_enum)]
    pub(crate) role: RoleWord,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn parse_claim(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((claim, value)) if !claim.is_empty() && !value.is_empty() => Ok((claim.to_owned(), value.to_owned())),
        Some(_) | None => Err("it must be like groups=crew".to_owned()),
    }
}

fn parse_claim_rule(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("claim-rule/").unwrap_or(text);
    if id.is_empty() { Err("the id of the rule is missing".to_owned()) } else { Ok(id.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_a_name_and_a_value() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let found = parse_claim(text).ok();
            let found = found.as_ref().map(|(claim, value)| (claim.as_str(), value.as_str()));
            assert_eq!(found, expected, "{text}");
        };
        check("groups=crew", Some(("groups", "crew")));
        check("a.b=c=d", Some(("a.b", "c=d")));
        check("groups", None);
        check("=crew", None);
        check("groups=", None);
    }
}

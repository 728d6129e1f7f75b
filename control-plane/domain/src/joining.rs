//! Becoming a member by what a provider says: by the domain of a confirmed address, and by claims.
//!
//! A domain brings newcomers in and does nothing more: what they are from then on is for the organization's people to say. Claims are
//! followed at each sign-in, up and down. What somebody was given by hand is the least they have.

use crate::role::Role;
use std::collections::BTreeSet;

/// Most claim rules of one organization: some teams, each with a role, at some providers.
pub const CLAIM_RULES_MAX: usize = 100;
/// Most domains of one organization.
pub const DOMAINS_MAX: usize = 50;

/// Who gets which role by what a provider says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRule {
    /// Name of the claim. Claims inside others are named by their path, with dots.
    pub claim: String,
    /// What it has to be, or to have among its values.
    pub value: String,
    /// The role of those who have it.
    pub role: Role,
}

/// What a provider says of somebody: names of claims and their values, one pair for each value.
pub type Claims = BTreeSet<(String, String)>;

/// The highest role that the rules give, and the rule that gives it.
#[must_use]
pub fn role_by_claims<'r>(rules: &'r [ClaimRule], claims: &Claims) -> Option<&'r ClaimRule> {
    let fits = |rule: &&ClaimRule| claims.contains(&(rule.claim.clone(), rule.value.clone()));
    rules.iter().filter(fits).max_by_key(|rule| rule.role)
}

/// What somebody is in an organization before a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nobody.
    Stranger,
    /// A member, given this role by hand, or by a domain.
    ByHand(Role),
    /// A member by claims.
    ByClaims {
        /// What they are.
        role: Role,
        /// What they were by hand, and are at least.
        base: Option<Role>,
        /// Whether the claims were those of the provider that they sign in through now.
        same_provider: bool,
    },
}

/// Why a role is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// Of the address's domain.
    Domain,
    /// Of a claim.
    Claim {
        /// What they were by hand, and are at least.
        base: Option<Role>,
    },
    /// The claim that gave another is gone.
    ClaimGone,
}

/// What a sign-in changes about a membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Keep,
    /// They are a member from now on.
    Join(Role, Because),
    /// They have another role from now on.
    Set(Role, Because),
    /// They are no member any more.
    Leave,
}

/// Decides. `by_claim` is the highest role that the claims give now, `by_domain` what newcomers of a verified domain get whose address has
/// it. An organization's only admin stays one.
#[must_use]
pub fn change(before: Before, by_claim: Option<Role>, by_domain: Option<Role>, is_only_admin: bool) -> Change {
    let (role, base, follows) = match before {
        Before::Stranger => {
            return match (by_claim, by_domain) {
                (Some(claimed), by_domain) if by_domain.is_none_or(|given| claimed > given) => {
                    Change::Join(claimed, Because::Claim { base: by_domain })
                }
                (_, Some(given)) => Change::Join(given, Because::Domain),
                (Some(claimed), None) => Change::Join(claimed, Because::Claim { base: None }),
                (None, None) => Change::Keep,
            };
        }
        Before::ByHand(role) => (role, Some(role), false),
        Before::ByClaims { role, base, same_provider } => (role, base, same_provider),
    };
    // What another provider's claims gave is not for this one to take.
    let least = if follows { base } else { Some(role) };
    let wanted = by_claim.max(least);
    if is_only_admin && wanted != Some(Role::Admin) {
        return Change::Keep;
    }
    match wanted {
        None => Change::Leave,
        Some(wanted) if wanted == role => Change::Keep,
        Some(wanted) if by_claim == Some(wanted) && base != Some(wanted) => {
            Change::Set(wanted, Because::Claim { base })
        }
        Some(wanted) => Change::Set(wanted, Because::ClaimGone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Admin, Operator, Support, Viewer};

    fn by_claims(role: Role, base: Option<Role>) -> Before {
        Before::ByClaims { role, base, same_provider: true }
    }

    #[test]
    fn a_membership_follows_claims_and_keeps_what_was_given_by_hand() {
        let check = |before, by_claim, by_domain, expected| {
            assert_eq!(change(before, by_claim, by_domain, false), expected, "{before:?} {by_claim:?} {by_domain:?}");
        };
        let claim = |base| Because::Claim { base };
        // Newcomers.
        check(Before::Stranger, None, None, Change::Keep);
        check(Before::Stranger, None, Some(Viewer), Change::Join(Viewer, Because::Domain));
        check(Before::Stranger, Some(Operator), None, Change::Join(Operator, claim(None)));
        check(Before::Stranger, Some(Operator), Some(Viewer), Change::Join(Operator, claim(Some(Viewer))));
        check(Before::Stranger, Some(Viewer), Some(Operator), Change::Join(Operator, Because::Domain));
        check(Before::Stranger, Some(Viewer), Some(Viewer), Change::Join(Viewer, Because::Domain));
        // By hand: a domain gives no more, a claim may, and nothing takes.
        check(Before::ByHand(Viewer), None, Some(Operator), Change::Keep);
        check(Before::ByHand(Viewer), Some(Operator), None, Change::Set(Operator, claim(Some(Viewer))));
        check(Before::ByHand(Operator), Some(Viewer), None, Change::Keep);
        check(Before::ByHand(Operator), Some(Operator), None, Change::Keep);
        // By claims: up, down, back to what was given by hand, and out.
        check(by_claims(Operator, None), Some(Operator), None, Change::Keep);
        check(by_claims(Operator, None), Some(Admin), None, Change::Set(Admin, claim(None)));
        check(by_claims(Operator, None), Some(Support), None, Change::Set(Support, claim(None)));
        check(by_claims(Operator, Some(Viewer)), Some(Support), None, Change::Set(Support, claim(Some(Viewer))));
        check(by_claims(Operator, Some(Viewer)), None, None, Change::Set(Viewer, Because::ClaimGone));
        check(by_claims(Operator, Some(Viewer)), Some(Viewer), None, Change::Set(Viewer, Because::ClaimGone));
        check(by_claims(Operator, None), None, None, Change::Leave);
        // Through another provider nothing is taken that the first gave.
        let other = |role, base| Before::ByClaims { role, base, same_provider: false };
        check(other(Operator, None), None, None, Change::Keep);
        check(other(Operator, Some(Viewer)), Some(Support), None, Change::Keep);
        check(other(Operator, Some(Viewer)), Some(Admin), None, Change::Set(Admin, claim(Some(Viewer))));
    }

    #[test]
    fn the_only_admin_stays_one() {
        let check = |before, by_claim, expected| {
            assert_eq!(change(before, by_claim, None, true), expected, "{before:?} {by_claim:?}");
        };
        check(by_claims(Admin, None), None, Change::Keep);
        check(by_claims(Admin, None), Some(Viewer), Change::Keep);
        check(by_claims(Admin, Some(Operator)), None, Change::Keep);
        check(by_claims(Admin, None), Some(Admin), Change::Keep);
        check(Before::ByHand(Admin), Some(Viewer), Change::Keep);
    }

    #[test]
    fn the_highest_role_of_those_that_fit_counts() {
        let rule =
            |claim: &str, value: &str, role| ClaimRule { claim: claim.to_owned(), value: value.to_owned(), role };
        let rules = [rule("groups", "crew", Viewer), rule("groups", "leads", Admin), rule("dep.name", "it", Operator)];
        let check = |claims: &[(&str, &str)], expected: Option<Role>| {
            let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(role_by_claims(&rules, &claims).map(|rule| rule.role), expected, "{claims:?}");
        };
        check(&[], None);
        check(&[("groups", "crew")], Some(Viewer));
        check(&[("groups", "crew"), ("dep.name", "it")], Some(Operator));
        check(&[("groups", "leads"), ("groups", "crew")], Some(Admin));
        check(&[("groups", "Crew"), ("group", "crew"), ("dep", "it")], None);
    }
}

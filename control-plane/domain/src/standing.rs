//! What somebody is in an organization and its homes, and how far a call reaches that they make.

use crate::authorization::Grants;
use crate::role::{HomeRole, Role};
use kaliun_types::id::{ConsentId, InstallationId};

/// Most homes that one person has a role in, in one organization: an installer's busy years. The list goes to the database with each call.
pub const HOMES_MAX: usize = 500;

/// What somebody is in one organization.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// In the whole of it; none for those who have to do with single homes only.
    pub role: Option<Role>,
    /// In single homes. At most [`HOMES_MAX`].
    pub homes: Vec<(InstallationId, HomeRole)>,
    /// Homes whose owner lets this person of support in now.
    pub consents: Vec<(InstallationId, ConsentId)>,
}

/// How far a call reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reach {
    /// All of the organization.
    Organization,
    /// Some homes and what serves them; never empty.
    Homes(Vec<InstallationId>),
}

/// How far a call reaches, and by which consents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// How far.
    pub reach: Reach,
    /// The consents that it takes; empty when the caller may by themselves.
    pub consents: Vec<ConsentId>,
}

impl Standing {
    /// How far a call with these grants reaches; none when the caller may not make it at all.
    #[must_use]
    pub fn reach(&self, grants: Grants) -> Option<Reached> {
        if let (Some(role), Some(least)) = (self.role, grants.role)
            && role >= least
        {
            return Some(Reached { reach: Reach::Organization, consents: Vec::new() });
        }
        let mut homes: Vec<InstallationId> = Vec::new();
        if let Some(least) = grants.home {
            homes.extend(self.homes.iter().filter(|(_, role)| *role >= least).map(|(home, _)| *home));
        }
        let mut consents = Vec::new();
        if grants.by_consent && self.role == Some(Role::Support) {
            for (home, consent) in &self.consents {
                if !homes.contains(home) {
                    homes.push(*home);
                    consents.push(*consent);
                }
            }
        }
        (!homes.is_empty()).then_some(Reached { reach: Reach::Homes(homes), consents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> String {
        format!("00000000-0000-0000-0000-{number:012x}")
    }

    fn home(number: u32) -> InstallationId {
        id(number).parse().unwrap()
    }

    fn homes(numbers: &[u32]) -> Option<Reach> {
        Some(Reach::Homes(numbers.iter().copied().map(home).collect()))
    }

    fn check(standing: &Standing, grants: Grants, reach: Option<Reach>, consents: usize) {
        let reached = standing.reach(grants);
        let found = reached.map(|reached| (reached.reach, reached.consents.len()));
        assert_eq!(found, reach.map(|reach| (reach, consents)), "{standing:?} {grants:?}");
    }

    fn standing(role: Option<Role>, owned: &[u32], lived_in: &[u32], consented: &[u32]) -> Standing {
        let owned = owned.iter().map(|number| (home(*number), HomeRole::Owner));
        let lived_in = lived_in.iter().map(|number| (home(*number), HomeRole::Member));
        let consent = |number: &u32| (home(*number), id(number + 100).parse().unwrap());
        Standing { role, homes: owned.chain(lived_in).collect(), consents: consented.iter().map(consent).collect() }
    }

    #[test]
    fn a_role_reaches_everything_and_a_home_itself() {
        let looks = Grants::of(Role::Viewer).or_in_home(HomeRole::Member);
        let acts = Grants::of(Role::Operator).or_in_home(HomeRole::Owner).or_by_consent();
        let runs = Grants::of(Role::Admin);
        let everything = || Some(Reach::Organization);

        let viewer = standing(Some(Role::Viewer), &[1], &[2], &[]);
        check(&viewer, looks, everything(), 0);
        check(&viewer, acts, homes(&[1]), 0);
        check(&viewer, runs, None, 0);

        let operator = standing(Some(Role::Operator), &[1], &[], &[]);
        check(&operator, acts, everything(), 0);
        check(&operator, runs, None, 0);

        let owner = standing(None, &[1, 2], &[3], &[]);
        check(&owner, looks, homes(&[1, 2, 3]), 0);
        check(&owner, acts, homes(&[1, 2]), 0);
        check(&owner, runs, None, 0);

        let support = standing(Some(Role::Support), &[], &[], &[7, 8]);
        check(&support, looks, everything(), 0);
        check(&support, acts, homes(&[7, 8]), 2);
        check(&support, Grants::of(Role::Operator).or_in_home(HomeRole::Owner), None, 0);

        // What somebody may by themselves takes nobody's consent.
        check(&standing(Some(Role::Support), &[7], &[], &[7]), acts, homes(&[7]), 0);
        // A consent is worth something to support only.
        check(&standing(None, &[], &[], &[7]), acts, None, 0);
        check(&standing(Some(Role::Viewer), &[], &[], &[7]), acts, None, 0);

        check(&Standing::default(), looks, None, 0);
    }
}

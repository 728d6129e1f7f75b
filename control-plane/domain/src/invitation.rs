//! What somebody is invited to.

use crate::role::{HomeRole, Role};
use crate::standing::{Reach, Standing};
use kaliun_types::id::InstallationId;

/// A role, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// In the whole organization.
    Organization(Role),
    /// In one home.
    Home(InstallationId, HomeRole),
}

/// Why somebody may not invite to a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTheirs {
    /// It takes a role in the whole organization.
    NotTheOrganizations,
    /// It is above what they are themselves.
    AboveTheirOwn,
    /// The home is none of theirs. Whether it exists is not told.
    NoSuchHome,
}

impl Seat {
    /// Whether somebody may give it, with a right that reaches so far.
    ///
    /// # Errors
    /// Why not.
    pub fn may_be_given_by(self, giver: &Standing, reach: &Reach) -> Result<(), NotTheirs> {
        match (self, reach) {
            (Self::Organization(role), Reach::Organization) => {
                if giver.role.is_some_and(|own| own >= role) {
                    Ok(())
                } else {
                    Err(NotTheirs::AboveTheirOwn)
                }
            }
            (Self::Organization(_), Reach::Homes(_)) => Err(NotTheirs::NotTheOrganizations),
            (Self::Home(..), Reach::Organization) => Ok(()),
            (Self::Home(home, role), Reach::Homes(homes)) => {
                if !homes.contains(&home) {
                    return Err(NotTheirs::NoSuchHome);
                }
                let own = giver.homes.iter().find(|(own, _)| *own == home).map(|(_, role)| *role);
                if own.is_some_and(|own| own >= role) { Ok(()) } else { Err(NotTheirs::AboveTheirOwn) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(number: u32) -> InstallationId {
        format!("00000000-0000-0000-0000-{number:012x}").parse().unwrap()
    }

    fn check(giver: &Standing, reach: &Reach, seat: Seat, expected: Result<(), NotTheirs>) {
        assert_eq!(seat.may_be_given_by(giver, reach), expected, "{giver:?} {reach:?} {seat:?}");
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        let whole = Reach::Organization;
        let admin = Standing { role: Some(Role::Admin), ..Standing::default() };
        for role in Role::ALL {
            check(&admin, &whole, Seat::Organization(role), Ok(()));
        }
        check(&admin, &whole, Seat::Home(home(1), HomeRole::Owner), Ok(()));
        let operator = Standing { role: Some(Role::Operator), ..Standing::default() };
        check(&operator, &whole, Seat::Organization(Role::Operator), Ok(()));
        check(&operator, &whole, Seat::Organization(Role::Admin), Err(NotTheirs::AboveTheirOwn));

        let owner =
            Standing { homes: vec![(home(1), HomeRole::Owner), (home(2), HomeRole::Installer)], ..Standing::default() };
        let owned = Reach::Homes(vec![home(1)]);
        check(&owner, &owned, Seat::Home(home(1), HomeRole::Owner), Ok(()));
        check(&owner, &owned, Seat::Home(home(2), HomeRole::Member), Err(NotTheirs::NoSuchHome));
        check(&owner, &owned, Seat::Home(home(3), HomeRole::Member), Err(NotTheirs::NoSuchHome));
        check(&owner, &owned, Seat::Organization(Role::Viewer), Err(NotTheirs::NotTheOrganizations));
        let both = Reach::Homes(vec![home(1), home(2)]);
        check(&owner, &both, Seat::Home(home(2), HomeRole::Installer), Ok(()));
        check(&owner, &both, Seat::Home(home(2), HomeRole::Owner), Err(NotTheirs::AboveTheirOwn));
    }
}

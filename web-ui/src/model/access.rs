//! What the person at the keyboard may do, so that screens show that and nothing else. The server decides; this only spares dead ends.

use kaliun_proto::fleet::v1::{HomeRole, Identity, Role};

/// What the dashboard begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The boxes of the organization.
    Fleet,
    /// The one home that the person has to do with, by its id.
    Home(String),
    /// The homes that the person has to do with.
    Homes,
    /// The person belongs to no organization yet.
    Nowhere,
}

/// What the dashboard begins with for somebody.
#[must_use]
pub fn start(identity: &Identity) -> Start {
    if identity.organization_id.is_empty() {
        Start::Nowhere
    } else if identity.role() != Role::Unspecified {
        Start::Fleet
    } else if let [home] = identity.homes.as_slice() {
        Start::Home(home.installation_id.clone())
    } else {
        Start::Homes
    }
}

/// What somebody is in a home.
#[must_use]
pub fn home_role(identity: &Identity, installation_id: &str) -> HomeRole {
    let home = identity.homes.iter().find(|home| home.installation_id == installation_id);
    home.map_or(HomeRole::Unspecified, kaliun_proto::fleet::v1::HomeIdentity::role)
}

/// Whether a home is somebody's.
#[must_use]
pub fn owns(identity: &Identity, installation_id: &str) -> bool {
    home_role(identity, installation_id) == HomeRole::Owner
}

/// Whether any home is somebody's.
#[must_use]
pub fn owns_any(identity: &Identity) -> bool {
    identity.homes.iter().any(|home| home.role() == HomeRole::Owner)
}

/// Whether somebody runs the fleet.
#[must_use]
pub fn operates(identity: &Identity) -> bool {
    identity.role() >= Role::Operator
}

/// Whether somebody runs the organization.
#[must_use]
pub fn administers(identity: &Identity) -> bool {
    identity.role() == Role::Admin
}

/// Whether somebody decides who gets an account of this server.
#[must_use]
pub fn decides_sign_ups(identity: &Identity) -> bool {
    identity.runs_platform && administers(identity)
}

/// Whether somebody may bring boxes in.
#[must_use]
pub fn adds_boxes(identity: &Identity) -> bool {
    operates(identity) || identity.homes.iter().any(|home| home.role() >= HomeRole::Installer)
}

/// Whether somebody may change a home's name and time zone.
#[must_use]
pub fn changes_home(identity: &Identity, installation_id: &str) -> bool {
    operates(identity) || owns(identity, installation_id)
}

/// Whether somebody may change who has a role in a home.
#[must_use]
pub fn changes_home_people(identity: &Identity, installation_id: &str) -> bool {
    administers(identity) || owns(identity, installation_id)
}

/// Whether somebody needs an owner's yes to look into homes.
#[must_use]
pub fn asks_owners(identity: &Identity) -> bool {
    identity.role() == Role::Support
}

/// Whether requests of support are of somebody's concern on every page.
#[must_use]
pub fn follows_consents(identity: &Identity) -> bool {
    owns_any(identity) || asks_owners(identity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::fleet::v1::HomeIdentity;

    fn somebody(role: Role, homes: &[(&str, HomeRole)]) -> Identity {
        Identity {
            organization_id: "o".to_owned(),
            role: role.into(),
            homes: homes
                .iter()
                .map(|(id, role)| HomeIdentity { installation_id: (*id).to_owned(), role: (*role).into() })
                .collect(),
            ..Identity::default()
        }
    }

    #[test]
    fn everybody_begins_where_their_things_are() {
        let check = |identity: &Identity, expected: Start| assert_eq!(start(identity), expected);
        check(&somebody(Role::Viewer, &[]), Start::Fleet);
        check(&somebody(Role::Admin, &[("1", HomeRole::Owner)]), Start::Fleet);
        check(&somebody(Role::Unspecified, &[("1", HomeRole::Owner)]), Start::Home("1".to_owned()));
        check(&somebody(Role::Unspecified, &[("1", HomeRole::Owner), ("2", HomeRole::Member)]), Start::Homes);
        check(&somebody(Role::Unspecified, &[]), Start::Homes);
        check(&Identity::default(), Start::Nowhere);
    }

    #[test]
    fn nothing_is_offered_that_is_refused() {
        // Role in the organization, in home 1: adds boxes, changes home 1, its people, decides about support there, asks owners.
        let table = [
            (Role::Admin, HomeRole::Unspecified, [true, true, true, false, false]),
            (Role::Operator, HomeRole::Unspecified, [true, true, false, false, false]),
            (Role::Support, HomeRole::Unspecified, [false, false, false, false, true]),
            (Role::Viewer, HomeRole::Unspecified, [false; 5]),
            (Role::Unspecified, HomeRole::Owner, [true, true, true, true, false]),
            (Role::Unspecified, HomeRole::Installer, [true, false, false, false, false]),
            (Role::Unspecified, HomeRole::Member, [false; 5]),
        ];
        for (role, home, expected) in table {
            let identity = somebody(role, &[("1", home)]);
            let may = [
                adds_boxes(&identity),
                changes_home(&identity, "1"),
                changes_home_people(&identity, "1"),
                owns(&identity, "1"),
                asks_owners(&identity),
            ];
            assert_eq!(may, expected, "{role:?} {home:?}");
            assert!(!owns(&identity, "2") && home_role(&identity, "2") == HomeRole::Unspecified);
        }
    }

    #[test]
    fn only_who_runs_the_server_decides_about_accounts() {
        let admin = somebody(Role::Admin, &[]);
        assert!(!decides_sign_ups(&admin));
        assert!(decides_sign_ups(&Identity { runs_platform: true, ..admin }));
        assert!(!decides_sign_ups(&Identity { runs_platform: true, ..somebody(Role::Operator, &[]) }));
    }
}

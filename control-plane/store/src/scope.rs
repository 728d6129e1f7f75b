//! Whose rows a transaction may touch.

use kaliun_domain::standing::Reach;
use kaliun_types::id::{AccountId, OrganizationId, SessionId};
use std::fmt::Write as _;

/// The right to act inside one organization, as far as it reaches there. Only the authenticating functions of this crate make one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrganizationScope {
    organization: OrganizationId,
    reach: Reach,
}

impl OrganizationScope {
    /// For the functions of this crate that have just verified a credential.
    pub(crate) const fn authenticated(organization: OrganizationId, reach: Reach) -> Self {
        Self { organization, reach }
    }

    /// The organization.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }

    /// How far it reaches there.
    #[must_use]
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The homes that it reaches, as a parameter of a statement; null for the whole organization.
    pub(crate) fn homes(&self) -> Option<Vec<uuid::Uuid>> {
        match &self.reach {
            Reach::Organization => None,
            Reach::Homes(homes) => Some(homes.iter().map(|home| home.as_uuid()).collect()),
        }
    }

    /// The reach as row-level security reads it. Made of UUIDs alone, so it is safe inside quotes.
    #[must_use]
    pub fn reach_setting(&self) -> String {
        match &self.reach {
            Reach::Organization => "*".to_owned(),
            Reach::Homes(homes) => {
                let mut text = String::from("{");
                for (index, home) in homes.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    // Writing to a String cannot fail.
                    let _infallible = write!(text, "{comma}{home}");
                }
                text.push('}');
                text
            }
        }
    }
}

/// The right to act as a person, about what is theirs. Only the authenticating functions of this crate make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountScope {
    account: AccountId,
    session: SessionId,
}

impl AccountScope {
    /// For the functions of this crate that have just verified a credential.
    pub(crate) const fn authenticated(account: AccountId, session: SessionId) -> Self {
        Self { account, session }
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// The session that acts.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_types::id::InstallationId;
    use uuid::Uuid;

    #[test]
    fn a_reach_is_written_as_postgres_reads_it() {
        let home = |number| InstallationId::from_uuid(Uuid::from_u128(number));
        let check = |reach: Reach, expected: &str| {
            let scope = OrganizationScope::authenticated(OrganizationId::from_uuid(Uuid::nil()), reach);
            assert_eq!(scope.reach_setting(), expected);
        };
        check(Reach::Organization, "*");
        let (one, two) = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002");
        check(Reach::Homes(vec![home(1)]), &format!("{{{one}}}"));
        check(Reach::Homes(vec![home(1), home(2)]), &format!("{{{one},{two}}}"));
    }
}

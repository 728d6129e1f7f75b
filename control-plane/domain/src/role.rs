//! Roles of people and tokens: in a whole organization, and in one home of it.

/// What somebody is in an organization; each may do what the lower ones may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees.
    Viewer,
    /// Sees, and helps where the owner consented.
    Support,
    /// Runs the fleet.
    Operator,
    /// Runs the organization.
    Admin,
}

impl Role {
    /// All of them, from the least on.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Support, Self::Operator, Self::Admin];

    /// The number it is stored as.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Viewer => 1,
            Self::Support => 2,
            Self::Operator => 3,
            Self::Admin => 4,
        }
    }

    /// Reads a stored number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Viewer),
            2 => Some(Self::Support),
            3 => Some(Self::Operator),
            4 => Some(Self::Admin),
            _ => None,
        }
    }

    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Support => "support",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// What somebody is in one home; each may do what the lower ones may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HomeRole {
    /// Lives there.
    Member,
    /// Sets it up.
    Installer,
    /// It is theirs.
    Owner,
}

impl HomeRole {
    /// All of them, from the least on.
    pub const ALL: [Self; 3] = [Self::Member, Self::Installer, Self::Owner];

    /// The number it is stored as.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Member => 1,
            Self::Installer => 2,
            Self::Owner => 3,
        }
    }

    /// Reads a stored number.
    #[must_use]
    pub const fn from_number(number: i16) -> Option<Self> {
        match number {
            1 => Some(Self::Member),
            2 => Some(Self::Installer),
            3 => Some(Self::Owner),
            _ => None,
        }
    }

    /// The word for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Installer => "installer",
            Self::Owner => "owner",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_stored() {
        assert!(Role::ALL.is_sorted() && HomeRole::ALL.is_sorted());
        for role in Role::ALL {
            assert_eq!(Role::from_number(role.number()), Some(role));
        }
        for role in HomeRole::ALL {
            assert_eq!(HomeRole::from_number(role.number()), Some(role));
        }
        assert_eq!((Role::from_number(0), HomeRole::from_number(0)), (None, None));
        assert_eq!((Role::from_number(5), HomeRole::from_number(4)), (None, None));
    }
}

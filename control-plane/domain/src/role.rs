//! Roles of people and tokens in an organization.

/// A role; each may do what the lower ones may.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_and_stored() {
        let all = [Role::Viewer, Role::Support, Role::Operator, Role::Admin];
        assert!(all.is_sorted());
        for role in all {
            assert_eq!(Role::from_number(role.number()), Some(role));
        }
        assert_eq!(Role::from_number(0), None);
    }
}

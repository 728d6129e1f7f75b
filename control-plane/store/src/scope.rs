//! Whose rows a transaction may touch.

use kaliun_types::id::OrganizationId;

/// The right to act inside one organization. Only the authenticating functions of this crate make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrganizationScope {
    organization: OrganizationId,
}

impl OrganizationScope {
    /// For the functions of this crate that have just verified a credential.
    pub(crate) const fn authenticated(organization: OrganizationId) -> Self {
        Self { organization }
    }

    /// The organization.
    #[must_use]
    pub const fn organization(&self) -> OrganizationId {
        self.organization
    }
}

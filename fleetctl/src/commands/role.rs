//! Roles as the contract carries them.

use crate::cli::{HomeRoleWord, RoleWord};
use kaliun_proto::fleet::v1::{HomeRole, Role};

/// What somebody may do in the whole organization.
pub(super) const fn role(word: RoleWord) -> Role {
    match word {
        RoleWord::Viewer => Role::Viewer,
        RoleWord::Support => Role::Support,
        RoleWord::Operator => Role::Operator,
        RoleWord::Admin => Role::Admin,
    }
}

/// What somebody may do in a home.
pub(super) const fn home_role(word: HomeRoleWord) -> HomeRole {
    match word {
        HomeRoleWord::Member => HomeRole::Member,
        HomeRoleWord::Installer => HomeRole::Installer,
        HomeRoleWord::Owner => HomeRole::Owner,
    }
}

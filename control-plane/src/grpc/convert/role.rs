//! Roles, in and out.

use crate::grpc::status;
use kaliun_domain::role::{HomeRole, Role};
use kaliun_proto::fleet::v1 as proto;
use tonic::Status;

/// A role on its way out.
pub(crate) fn role_to_proto(role: Role) -> proto::Role {
    match role {
        Role::Viewer => proto::Role::Viewer,
        Role::Support => proto::Role::Support,
        Role::Operator => proto::Role::Operator,
        Role::Admin => proto::Role::Admin,
    }
}

/// A role on its way in, in the field `role`.
pub(crate) fn role_from_proto(number: i32) -> Result<Role, Status> {
    match proto::Role::try_from(number) {
        Ok(proto::Role::Viewer) => Ok(Role::Viewer),
        Ok(proto::Role::Support) => Ok(Role::Support),
        Ok(proto::Role::Operator) => Ok(Role::Operator),
        Ok(proto::Role::Admin) => Ok(Role::Admin),
        Ok(proto::Role::Unspecified) | Err(_) => {
            Err(status::invalid("role", "must be viewer, support, operator or admin"))
        }
    }
}

/// A role in a home on its way out.
pub(crate) fn home_role_to_proto(role: HomeRole) -> proto::HomeRole {
    match role {
        HomeRole::Member => proto::HomeRole::Member,
        HomeRole::Installer => proto::HomeRole::Installer,
        HomeRole::Owner => proto::HomeRole::Owner,
    }
}

/// A role in a home on its way in, in a field of this name.
pub(crate) fn home_role_from_proto(field: &str, number: i32) -> Result<HomeRole, Status> {
    match proto::HomeRole::try_from(number) {
        Ok(proto::HomeRole::Member) => Ok(HomeRole::Member),
        Ok(proto::HomeRole::Installer) => Ok(HomeRole::Installer),
        Ok(proto::HomeRole::Owner) => Ok(HomeRole::Owner),
        Ok(proto::HomeRole::Unspecified) | Err(_) => Err(status::invalid(field, "must be member, installer or owner")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_back_as_they_went() {
        for role in Role::ALL {
            assert_eq!(role_from_proto(role_to_proto(role).into()).unwrap(), role);
        }
        for role in HomeRole::ALL {
            assert_eq!(home_role_from_proto("role", home_role_to_proto(role).into()).unwrap(), role);
        }
        for number in [0, -1, 5] {
            assert!(role_from_proto(number).unwrap_err().message().starts_with("role: "), "{number}");
            let refused = home_role_from_proto("home_role", number).unwrap_err();
            assert!(refused.message().starts_with("home_role: "), "{number}");
        }
    }
}

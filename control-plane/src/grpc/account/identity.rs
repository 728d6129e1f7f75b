//! A caller's identity on its way out.

use crate::clock;
use crate::grpc::convert::role::{home_role_to_proto, role_to_proto};
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{Principal, SignedIn};

/// Who somebody is, and in what.
pub(super) fn identity(signed_in: &SignedIn) -> proto::Identity {
    let mut identity =
        proto::Identity { expires_at_ms: clock::to_ms(signed_in.expires_at), ..proto::Identity::default() };
    match &signed_in.principal {
        Principal::Person(person) => {
            identity.account_id = person.account.to_string();
            identity.email.clone_from(&person.email);
            identity.name.clone_from(&person.name);
            identity.has_password = person.has_password;
        }
        Principal::ApiToken { id: _, name } => identity.api_token_name.clone_from(name),
    }
    if let Some(place) = &signed_in.place {
        identity.organization_id = place.organization.to_string();
        identity.organization_name.clone_from(&place.organization_name);
        identity.runs_platform = place.runs_platform;
        identity.role = place.standing.role.map_or(proto::Role::Unspecified, role_to_proto).into();
        identity.homes = place
            .standing
            .homes
            .iter()
            .map(|(home, role)| proto::HomeIdentity {
                installation_id: home.to_string(),
                role: home_role_to_proto(*role).into(),
            })
            .collect();
    }
    identity
}

//! Organizations, their people and their invitations, in and out.

use super::role::{home_role_from_proto, home_role_to_proto, role_from_proto, role_to_proto};
use crate::clock;
use crate::grpc::status;
use kaliun_domain::invitation::Seat;
use kaliun_domain::role::Role;
use kaliun_domain::time_zone::TimeZoneName;
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{HomePersonRow, InstallationRow, InvitationRow, MemberRow, MyOrganization};
use tonic::Status;

fn role_or_none(role: Option<Role>) -> i32 {
    role.map_or(proto::Role::Unspecified, role_to_proto).into()
}

pub(crate) fn organization_to_proto(mine: MyOrganization) -> proto::Organization {
    let MyOrganization { id, name, role, homes } = mine;
    proto::Organization { id: id.to_string(), name, role: role_or_none(role), homes }
}

pub(crate) fn member_to_proto(row: MemberRow) -> proto::Member {
    proto::Member {
        account_id: row.account.to_string(),
        email: row.email,
        name: row.name,
        role: role_to_proto(row.role).into(),
        joined_at_ms: clock::to_ms(row.joined_at),
    }
}

pub(crate) fn home_person_to_proto(row: HomePersonRow) -> proto::HomePerson {
    proto::HomePerson {
        account_id: row.account.to_string(),
        email: row.email,
        name: row.name,
        role: home_role_to_proto(row.role).into(),
        joined_at_ms: clock::to_ms(row.joined_at),
    }
}

pub(crate) fn installation_to_proto(row: InstallationRow) -> proto::Installation {
    let InstallationRow { id, name, time_zone } = row;
    proto::Installation { id: id.to_string(), name, time_zone }
}

pub(crate) fn invitation_to_proto(row: InvitationRow) -> proto::Invitation {
    let (role, home) = match row.seat {
        Seat::Organization(role) => (Some(role), None),
        Seat::Home(home, role) => (None, Some((home, role))),
    };
    proto::Invitation {
        id: row.id.to_string(),
        email: row.email,
        role: role_or_none(role),
        installation_id: home.map(|(home, _)| home.to_string()).unwrap_or_default(),
        installation_name: row.home_name.unwrap_or_default(),
        home_role: home.map_or(proto::HomeRole::Unspecified, |(_, role)| home_role_to_proto(role)).into(),
        invited_by: row.invited_by,
        created_at_ms: clock::to_ms(row.created_at),
        expires_at_ms: clock::to_ms(row.expires_at),
    }
}

/// What somebody is to be invited to: the whole organization, or a home.
pub(crate) fn seat_from_proto(request: &proto::CreateInvitationRequest) -> Result<Seat, Status> {
    let unspecified = i32::from(proto::Role::Unspecified);
    if request.installation_id.is_empty() {
        if request.home_role != i32::from(proto::HomeRole::Unspecified) {
            let problem = "is for an invitation to a home; say which home, or leave it out";
            return Err(status::invalid("home_role", problem));
        }
        return Ok(Seat::Organization(role_from_proto(request.role)?));
    }
    if request.role != unspecified {
        return Err(status::invalid("role", "is for an invitation to the whole organization; leave it out for a home"));
    }
    let home = request.installation_id.parse().map_err(|error| status::invalid("installation_id", error))?;
    Ok(Seat::Home(home, home_role_from_proto("home_role", request.home_role)?))
}

/// A time zone in a field of this name.
pub(crate) fn time_zone(field: &str, text: &str) -> Result<TimeZoneName, Status> {
    TimeZoneName::parse(text).map_err(|problem| status::invalid(field, problem))
}

/// The same, where nothing means UTC.
pub(crate) fn time_zone_or_utc(field: &str, text: &str) -> Result<TimeZoneName, Status> {
    if text.is_empty() { Ok(TimeZoneName::UTC) } else { time_zone(field, text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_domain::role::HomeRole;
    use kaliun_types::id::InstallationId;

    fn check(installation_id: &str, role: i32, home_role: i32, expected: Result<Seat, &str>) {
        let email = "ada@example.org".to_owned();
        let installation_id = installation_id.to_owned();
        let request = proto::CreateInvitationRequest { email, role, installation_id, home_role };
        let found = seat_from_proto(&request).map_err(|status| status.message().to_owned());
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(*found, expected),
            (Err(message), Err(field)) => assert!(message.starts_with(&format!("{field}: ")), "{message}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_invitation_is_to_the_organization_or_to_a_home() {
        let home = InstallationId::new();
        let id = home.to_string();
        check("", 3, 0, Ok(Seat::Organization(Role::Operator)));
        check(&id, 0, 3, Ok(Seat::Home(home, HomeRole::Owner)));
        check("", 0, 0, Err("role"));
        check("", 9, 0, Err("role"));
        check("", 3, 3, Err("home_role"));
        check(&id, 3, 3, Err("role"));
        check(&id, 0, 0, Err("home_role"));
        check("kitchen", 0, 1, Err("installation_id"));
    }

    #[test]
    fn nothing_means_utc_for_a_new_home_only() {
        assert_eq!(time_zone_or_utc("time_zone", "").unwrap(), TimeZoneName::UTC);
        assert!(time_zone("time_zone", "").unwrap_err().message().starts_with("time_zone: must be the name"));
    }
}

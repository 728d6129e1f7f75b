//! Calls about organizations and their members.

use super::devices::is_id;
use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel, missing};
use crate::failure::{Failure, Kind};
use kaliun_proto::fleet::v1::organization_service_client::OrganizationServiceClient;
use kaliun_proto::fleet::v1::{
    CreateOrganizationRequest, LeaveOrganizationRequest, ListMembersRequest, ListMyOrganizationsRequest, Member,
    Organization, RemoveMemberRequest, Role, UpdateMemberRequest, UpdateOrganizationRequest,
};

impl Client {
    fn organizations(&self) -> OrganizationServiceClient<SignedChannel> {
        OrganizationServiceClient::new(self.channel())
    }

    /// Lists the organizations that the person has to do with.
    pub(crate) async fn organization_list(&self, paging: &Paging) -> Result<Listing<Organization>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListMyOrganizationsRequest { page_size, page_token };
            let mut client = self.organizations();
            let answer =
                self.call("list organizations", message, |request| client.list_my_organizations(request)).await?;
            Ok((answer.organizations, answer.next_page_token))
        })
        .await
    }

    /// The one of them that has this id or this name.
    pub(crate) async fn organization(&self, name_or_id: &str) -> Result<Organization, Failure> {
        let list = self.organization_list(&Paging::ALL).await?;
        let by_id = is_id(name_or_id);
        let matches = |one: &Organization| if by_id { one.id == name_or_id } else { one.name == name_or_id };
        let mut found = list.items.into_iter().filter(matches);
        match (found.next(), found.next()) {
            (Some(organization), None) => Ok(organization),
            (Some(_), Some(_)) => Err(Failure::new(
                Kind::Conflict,
                format!("several of your organizations are called {name_or_id:?}"),
                "name it by its id, from `fleetctl org list`",
            )),
            (None, _) => Err(Failure::new(
                Kind::NotFound,
                format!("you belong to no organization {name_or_id:?}"),
                "see yours with `fleetctl org list`",
            )),
        }
    }

    /// Makes an organization.
    pub(crate) async fn organization_create(
        &self,
        message: CreateOrganizationRequest,
    ) -> Result<Organization, Failure> {
        let mut client = self.organizations();
        let answer =
            self.call("create the organization", message, |request| client.create_organization(request)).await?;
        answer.organization.ok_or_else(|| missing("organization"))
    }

    /// Gives the organization of the call another name.
    pub(crate) async fn organization_rename(&self, name: String) -> Result<(), Failure> {
        let mut client = self.organizations();
        let message = UpdateOrganizationRequest { name };
        self.call("rename the organization", message, |request| client.update_organization(request)).await?;
        Ok(())
    }

    /// Takes the person out of the organization of the call.
    pub(crate) async fn organization_leave(&self) -> Result<(), Failure> {
        let mut client = self.organizations();
        self.call("leave the organization", LeaveOrganizationRequest {}, |request| client.leave_organization(request))
            .await
            .map_err(for_member)?;
        Ok(())
    }

    /// Lists the people who have a role in the whole organization.
    pub(crate) async fn member_list(&self, paging: &Paging) -> Result<Listing<Member>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListMembersRequest { page_size, page_token };
            let mut client = self.organizations();
            let answer = self.call("list members", message, |request| client.list_members(request)).await?;
            Ok((answer.members, answer.next_page_token))
        })
        .await
    }

    /// Gives somebody another role.
    pub(crate) async fn member_update(&self, member: &Member, role: Role) -> Result<(), Failure> {
        let mut client = self.organizations();
        let message = UpdateMemberRequest { account_id: member.account_id.clone(), role: role.into() };
        let doing = format!("change what {} may do", member.email);
        self.call(&doing, message, |request| client.update_member(request)).await.map_err(for_member)?;
        Ok(())
    }

    /// Takes somebody out of the organization.
    pub(crate) async fn member_remove(&self, member: &Member) -> Result<(), Failure> {
        let mut client = self.organizations();
        let message = RemoveMemberRequest { account_id: member.account_id.clone() };
        let doing = format!("take {} out of the organization", member.email);
        self.call(&doing, message, |request| client.remove_member(request)).await.map_err(for_member)?;
        Ok(())
    }
}

/// An organization has an admin; the only one stays until there is another.
fn for_member(failure: Failure) -> Failure {
    failure
        .not_found_hint("see who is there with `fleetctl org members`")
        .state_hint("make somebody else an admin first, with `fleetctl org member set EMAIL --role admin`")
}

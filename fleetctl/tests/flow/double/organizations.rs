//! Organizations, their members, and invitations.

use super::{PERSON, Services, page};
use crate::things::{NOW_MS, id};
use kaliun_proto::fleet::v1::invitation_service_server::InvitationService;
use kaliun_proto::fleet::v1::organization_service_server::OrganizationService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

/// What follows `#` in the link of the one invitation that can be accepted.
pub(crate) const INVITATION_SECRET: &str = "kin1.an-invitation";

impl Services {
    /// The id of the organization that the call acts in.
    fn place<T>(&self, request: &Request<T>) -> String {
        match request.metadata().get("kaliun-organization") {
            Some(named) => named.to_str().unwrap().to_owned(),
            None => self.world().organizations.first().map(|one| one.id.clone()).unwrap_or_default(),
        }
    }
}

#[tonic::async_trait]
impl OrganizationService for Services {
    async fn list_my_organizations(
        &self,
        request: Request<ListMyOrganizationsRequest>,
    ) -> Result<Response<ListMyOrganizationsResponse>, Status> {
        self.enter(&request, "list_my_organizations").await?;
        let list = request.into_inner();
        let (organizations, next_page_token) = page(&self.world().organizations, list.page_size, &list.page_token)?;
        Ok(Response::new(ListMyOrganizationsResponse { organizations, next_page_token }))
    }

    async fn create_organization(
        &self,
        request: Request<CreateOrganizationRequest>,
    ) -> Result<Response<CreateOrganizationResponse>, Status> {
        let wanted = request.get_ref().clone();
        let call = format!("create_organization: {:?} in {:?}", wanted.home_name, wanted.home_time_zone);
        self.enter(&request, call).await?;
        let organization = Organization { id: id(99), name: wanted.name, role: Role::Admin.into(), homes: 1 };
        self.world().organizations.push(organization.clone());
        Ok(Response::new(CreateOrganizationResponse { organization: Some(organization) }))
    }

    async fn update_organization(
        &self,
        request: Request<UpdateOrganizationRequest>,
    ) -> Result<Response<UpdateOrganizationResponse>, Status> {
        self.enter(&request, "update_organization").await?;
        let place = self.place(&request);
        let mut world = self.world();
        let found = world.organizations.iter_mut().find(|one| one.id == place).unwrap();
        found.name = request.into_inner().name;
        Ok(Response::new(UpdateOrganizationResponse {}))
    }

    async fn leave_organization(
        &self,
        request: Request<LeaveOrganizationRequest>,
    ) -> Result<Response<LeaveOrganizationResponse>, Status> {
        self.enter(&request, "leave_organization").await?;
        let place = self.place(&request);
        if self.world().members.iter().all(|member| member.role() != Role::Admin || member.email == PERSON) {
            return Err(Status::failed_precondition("You are its only admin."));
        }
        self.world().organizations.retain(|one| one.id != place);
        Ok(Response::new(LeaveOrganizationResponse {}))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        self.enter(&request, "list_members").await?;
        let list = request.into_inner();
        let (members, next_page_token) = page(&self.world().members, list.page_size, &list.page_token)?;
        Ok(Response::new(ListMembersResponse { members, next_page_token }))
    }

    async fn update_member(
        &self,
        request: Request<UpdateMemberRequest>,
    ) -> Result<Response<UpdateMemberResponse>, Status> {
        let wanted = request.get_ref().clone();
        self.enter(&request, format!("update_member: {} {:?}", wanted.account_id, wanted.role())).await?;
        let mut world = self.world();
        let found = world.members.iter_mut().find(|member| member.account_id == wanted.account_id).unwrap();
        found.role = wanted.role;
        Ok(Response::new(UpdateMemberResponse {}))
    }

    async fn remove_member(
        &self,
        request: Request<RemoveMemberRequest>,
    ) -> Result<Response<RemoveMemberResponse>, Status> {
        self.enter(&request, "remove_member").await?;
        let account_id = request.into_inner().account_id;
        let mut world = self.world();
        let is_admin = |member: &Member| member.role() == Role::Admin;
        if world.members.iter().filter(|member| is_admin(member)).all(|member| member.account_id == account_id) {
            return Err(Status::failed_precondition("This is its only admin."));
        }
        world.members.retain(|member| member.account_id != account_id);
        Ok(Response::new(RemoveMemberResponse {}))
    }
}

#[tonic::async_trait]
impl InvitationService for Services {
    async fn create_invitation(
        &self,
        request: Request<CreateInvitationRequest>,
    ) -> Result<Response<CreateInvitationResponse>, Status> {
        let wanted = request.get_ref().clone();
        let call =
            format!("create_invitation: {:?} {:?} of {:?}", wanted.role(), wanted.home_role(), wanted.installation_id);
        self.enter(&request, call).await?;
        let mut world = self.world();
        if world.members.iter().any(|member| member.email == wanted.email) {
            return Err(Status::already_exists("This person is in there."));
        }
        let home = world.installations.iter().find(|home| home.id == wanted.installation_id);
        let invitation = Invitation {
            id: id(80),
            role: wanted.role,
            home_role: wanted.home_role,
            installation_name: home.map(|home| home.name.clone()).unwrap_or_default(),
            installation_id: wanted.installation_id,
            email: wanted.email,
            invited_by: PERSON.to_owned(),
            created_at_ms: NOW_MS,
            expires_at_ms: NOW_MS + 7 * 86_400_000,
        };
        world.invitations.push(invitation.clone());
        let link = if world.sends_mail {
            String::new()
        } else {
            format!("https://fleet.example/invitation#{INVITATION_SECRET}")
        };
        Ok(Response::new(CreateInvitationResponse { invitation: Some(invitation), link }))
    }

    async fn list_invitations(
        &self,
        request: Request<ListInvitationsRequest>,
    ) -> Result<Response<ListInvitationsResponse>, Status> {
        self.enter(&request, "list_invitations").await?;
        let list = request.into_inner();
        let (invitations, next_page_token) = page(&self.world().invitations, list.page_size, &list.page_token)?;
        Ok(Response::new(ListInvitationsResponse { invitations, next_page_token }))
    }

    async fn revoke_invitation(
        &self,
        request: Request<RevokeInvitationRequest>,
    ) -> Result<Response<RevokeInvitationResponse>, Status> {
        self.enter(&request, format!("revoke_invitation: {}", request.get_ref().id)).await?;
        let id = request.into_inner().id;
        let mut world = self.world();
        if !world.invitations.iter().any(|invitation| invitation.id == id) {
            return Err(Status::not_found("There is no such invitation."));
        }
        world.invitations.retain(|invitation| invitation.id != id);
        Ok(Response::new(RevokeInvitationResponse {}))
    }

    async fn look_up_invitation(
        &self,
        request: Request<LookUpInvitationRequest>,
    ) -> Result<Response<LookUpInvitationResponse>, Status> {
        self.enter(&request, "look_up_invitation").await?;
        if request.get_ref().secret != INVITATION_SECRET {
            return Err(Status::not_found("There is no such invitation."));
        }
        let invitation =
            Invitation { id: id(80), email: PERSON.to_owned(), role: Role::Viewer.into(), ..Invitation::default() };
        Ok(Response::new(LookUpInvitationResponse {
            invitation: Some(invitation),
            organization_name: "Club".to_owned(),
        }))
    }

    async fn accept_invitation(
        &self,
        request: Request<AcceptInvitationRequest>,
    ) -> Result<Response<AcceptInvitationResponse>, Status> {
        self.enter(&request, "accept_invitation").await?;
        let organization = Organization { id: id(98), name: "Club".to_owned(), role: Role::Viewer.into(), homes: 0 };
        self.world().organizations.push(organization.clone());
        Ok(Response::new(AcceptInvitationResponse { organization: Some(organization) }))
    }
}

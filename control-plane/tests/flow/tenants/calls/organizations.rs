//! Calls about organizations, who is in them, and who is invited.

use super::{Caller, NO_SECRET};
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::invitation_service_client::InvitationServiceClient;
use kaliun_proto::fleet::v1::organization_service_client::OrganizationServiceClient;
use tonic::transport::Channel;

impl Caller<'_> {
    fn organizations(&self) -> OrganizationServiceClient<Channel> {
        OrganizationServiceClient::new(self.channel.clone())
    }

    fn invitations(&self) -> InvitationServiceClient<Channel> {
        InvitationServiceClient::new(self.channel.clone())
    }

    pub(super) async fn list_my_organizations(&self, handles: &Handles) -> Vec<Answer> {
        let names = |page: &fleet::ListMyOrganizationsResponse| {
            listed(page.organizations.iter().map(|organization| organization.name.as_str()))
        };
        let all = self.request(fleet::ListMyOrganizationsRequest::default());
        let all = self.organizations().list_my_organizations(all).await;
        let page =
            fleet::ListMyOrganizationsRequest { page_size: 1, page_token: handles.people.pages.organizations.clone() };
        let next = self.organizations().list_my_organizations(self.request(page)).await;
        let next = Answer::unary("a next page", next, names);
        vec![Answer::unary("all", all, names).same_for_the_owner(), self.of_a_person(next)]
    }

    /// Nothing of anybody's fits into it.
    pub(super) async fn create_organization(&self) -> Answer {
        let request = fleet::CreateOrganizationRequest { name: "Somebody's".to_owned(), ..Default::default() };
        let outcome = self.organizations().create_organization(self.request(request)).await;
        Answer::unary("one's own", outcome, |_| "made".to_owned()).same_for_the_owner()
    }

    pub(super) async fn update_organization(&self, handles: &Handles) -> Answer {
        let request = fleet::UpdateOrganizationRequest { name: format!("{} homes", self.tenant.word) };
        let outcome = self.organizations().update_organization(self.request_in(handles, request)).await;
        Answer::unary("named by the call", outcome, |_| "done".to_owned())
    }

    pub(super) async fn leave_organization(&self, handles: &Handles) -> Answer {
        let request = self.request_in(handles, fleet::LeaveOrganizationRequest {});
        let outcome = self.organizations().leave_organization(request).await;
        self.of_a_person(Answer::unary("named by the call", outcome, |_| "done".to_owned()))
    }

    pub(super) async fn list_members(&self, handles: &Handles) -> Vec<Answer> {
        let emails =
            |page: &fleet::ListMembersResponse| listed(page.members.iter().map(|member| member.email.as_str()));
        let all = self.organizations().list_members(self.request(fleet::ListMembersRequest::default())).await;
        let page = fleet::ListMembersRequest { page_size: 1, page_token: handles.people.pages.members.clone() };
        let next = self.organizations().list_members(self.request(page)).await;
        let named = self.request_in(handles, fleet::ListMembersRequest::default());
        let named = self.organizations().list_members(named).await;
        vec![
            Answer::unary("all", all, emails).same_for_the_owner(),
            Answer::unary("a next page", next, emails),
            Answer::unary("of an organization named by the call", named, emails),
        ]
    }

    pub(super) async fn update_member(&self, handles: &Handles) -> Answer {
        let role = fleet::Role::Support.into();
        let request = fleet::UpdateMemberRequest { account_id: handles.people.member_id.clone(), role };
        let outcome = self.organizations().update_member(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }

    pub(super) async fn remove_member(&self, handles: &Handles) -> Answer {
        let request = fleet::RemoveMemberRequest { account_id: handles.people.member_id.clone() };
        let outcome = self.organizations().remove_member(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }

    /// An address that is somebody's elsewhere is invited as any other is; what comes back of it is taken out of the answer, and the
    /// invitation is taken back.
    pub(super) async fn create_invitation(&self, handles: &Handles) -> Vec<Answer> {
        let whole = fleet::CreateInvitationRequest {
            email: handles.email.clone(),
            role: fleet::Role::Viewer.into(),
            ..Default::default()
        };
        let to_home = fleet::CreateInvitationRequest {
            email: "guest@example.org".to_owned(),
            installation_id: handles.installation_id.clone(),
            home_role: fleet::HomeRole::Member.into(),
            ..Default::default()
        };
        let mut answers = Vec::new();
        for (question, request) in [("by an address that somebody has", whole), ("to a home", to_home)] {
            let mut outcome = self.invitations().create_invitation(self.request(request)).await;
            if let Some(made) = outcome.as_mut().ok().map(|answer| answer.get_mut()) {
                let id = made.invitation.take().unwrap_or_default().id;
                let revoke = self.request(fleet::RevokeInvitationRequest { id });
                self.invitations().revoke_invitation(revoke).await.expect("what was made is taken back");
                made.link.clear();
            }
            answers.push(Answer::unary(question, outcome, |_| "invited".to_owned()));
        }
        answers
    }

    pub(super) async fn list_invitations(&self, handles: &Handles) -> Vec<Answer> {
        let emails = |page: &fleet::ListInvitationsResponse| {
            listed(page.invitations.iter().map(|invitation| invitation.email.as_str()))
        };
        let all = self.invitations().list_invitations(self.request(fleet::ListInvitationsRequest::default())).await;
        let page = fleet::ListInvitationsRequest { page_size: 1, page_token: handles.people.pages.invitations.clone() };
        let next = self.invitations().list_invitations(self.request(page)).await;
        vec![Answer::unary("all", all, emails).same_for_the_owner(), Answer::unary("a next page", next, emails)]
    }

    pub(super) async fn revoke_invitation(&self, handles: &Handles) -> Answer {
        let request = fleet::RevokeInvitationRequest { id: handles.people.invitation_id.clone() };
        let outcome = self.invitations().revoke_invitation(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }

    /// The secret is the right to know; whoever has none is told nothing.
    pub(super) async fn look_up_invitation(&self) -> Answer {
        let request = fleet::LookUpInvitationRequest { secret: NO_SECRET.to_owned() };
        let outcome = self.invitations().look_up_invitation(self.request(request)).await;
        Answer::unary("without a secret", outcome, |_| String::new()).same_for_the_owner()
    }

    pub(super) async fn accept_invitation(&self) -> Answer {
        let request = fleet::AcceptInvitationRequest { secret: NO_SECRET.to_owned() };
        let outcome = self.invitations().accept_invitation(self.request(request)).await;
        Answer::unary("without a secret", outcome, |_| String::new()).same_for_the_owner()
    }
}

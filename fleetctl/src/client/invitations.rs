//! Calls about invitations.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::invitation_service_client::InvitationServiceClient;
use kaliun_proto::fleet::v1::{
    AcceptInvitationRequest, CreateInvitationRequest, CreateInvitationResponse, Invitation, ListInvitationsRequest,
    LookUpInvitationRequest, LookUpInvitationResponse, Organization, RevokeInvitationRequest,
};
use kaliun_types::secret::SecretText;

impl Client {
    fn invitations(&self) -> InvitationServiceClient<SignedChannel> {
        InvitationServiceClient::new(self.channel())
    }

    /// Invites somebody.
    pub(crate) async fn invitation_create(
        &self,
        message: CreateInvitationRequest,
    ) -> Result<CreateInvitationResponse, Failure> {
        let mut client = self.invitations();
        let doing = format!("invite {}", message.email);
        self.call(&doing, message, |request| client.create_invitation(request)).await.map_err(|failure| {
            failure.conflict_hint(
                "see who is there with `fleetctl org members` and `fleetctl installation people NAME`; a role is changed there",
            )
        })
    }

    /// Lists the invitations that nobody has accepted.
    pub(crate) async fn invitation_list(&self, paging: &Paging) -> Result<Listing<Invitation>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListInvitationsRequest { page_size, page_token };
            let mut client = self.invitations();
            let answer = self.call("list invitations", message, |request| client.list_invitations(request)).await?;
            Ok((answer.invitations, answer.next_page_token))
        })
        .await
    }

    /// Takes an invitation back.
    pub(crate) async fn invitation_revoke(&self, id: String) -> Result<(), Failure> {
        let mut client = self.invitations();
        let doing = format!("revoke invitation/{id}");
        let message = RevokeInvitationRequest { id };
        self.call(&doing, message, |request| client.revoke_invitation(request))
            .await
            .map_err(|failure| failure.not_found_hint("see what there is with `fleetctl org invitations`"))?;
        Ok(())
    }

    /// What an invitation is to.
    pub(crate) async fn invitation(&self, secret: &SecretText) -> Result<(Invitation, String), Failure> {
        let mut client = self.invitations();
        let message = LookUpInvitationRequest { secret: secret.expose().to_owned() };
        let answer = self.call("look up the invitation", message, |request| client.look_up_invitation(request)).await;
        let LookUpInvitationResponse { invitation, organization_name } = answer.map_err(for_secret)?;
        Ok((invitation.ok_or_else(|| missing("invitation"))?, organization_name))
    }

    /// Brings the caller in.
    pub(crate) async fn invitation_accept(&self, secret: &SecretText) -> Result<Organization, Failure> {
        let mut client = self.invitations();
        let message = AcceptInvitationRequest { secret: secret.expose().to_owned() };
        let answer = self.call("accept the invitation", message, |request| client.accept_invitation(request)).await;
        answer.map_err(for_secret)?.organization.ok_or_else(|| missing("organization"))
    }
}

fn for_secret(failure: Failure) -> Failure {
    let hint = "it may have been taken back, used or run out; ask whoever invited you for another one";
    failure.not_found_hint(hint).state_hint(hint)
}

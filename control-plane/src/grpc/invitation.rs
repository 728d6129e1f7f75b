//! Bringing people in.

use super::account::fields;
use super::auth::{Caller, Somebody};
use super::convert::people::{invitation_to_proto, organization_to_proto, seat_from_proto};
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use crate::digest::{random, sha256};
use crate::mail::Outlet;
use crate::rights::Rights;
use data_encoding::BASE64URL_NOPAD;
use kaliun_domain::invitation::NotTheirs;
use kaliun_domain::mailed_secret::SecretPurpose;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::invitation_service_server::InvitationService;
use kaliun_store::{HandedOver, InvitationAccepted, Invited, NewInvitation, SystemStore};
use tonic::{Request, Response, Status};

/// Invites people, and lets them in.
pub(crate) struct Invitations {
    pub(crate) store: SystemStore,
    pub(crate) seal: PageSeal,
    pub(crate) rights: Rights,
    /// Without mail whoever invites hands the link over.
    pub(crate) mail: Outlet,
    /// Where the web pages of this server are.
    pub(crate) public_url: String,
}

fn not_theirs(refused: NotTheirs) -> Status {
    match refused {
        NotTheirs::NotTheOrganizations => Status::permission_denied(
            "an owner of a home invites to that home; say which one, or ask an admin of the organization",
        ),
        NotTheirs::AboveTheirOwn => {
            Status::permission_denied("nobody gives a role above their own; choose a lower one")
        }
        NotTheirs::NoSuchHome => status::not_found("home"),
    }
}

fn is_over() -> Status {
    Status::not_found("secret: this invitation was accepted, taken back or is too old; ask for another one")
}

#[tonic::async_trait]
impl InvitationService for Invitations {
    async fn create_invitation(
        &self,
        request: Request<proto::CreateInvitationRequest>,
    ) -> Result<Response<proto::CreateInvitationResponse>, Status> {
        let (caller, message) = (Caller::of(&request)?, request.get_ref());
        let email = fields::email("email", &message.email)?;
        let seat = seat_from_proto(message)?;
        seat.may_be_given_by(&caller.place().standing, caller.scope().reach()).map_err(not_theirs)?;
        let secret = (!self.mail.is_configured()).then(|| BASE64URL_NOPAD.encode(&random::<32>()));
        let hash = secret.as_ref().map(|secret| sha256(secret.as_bytes()));
        let handed_over = hash.as_ref().map_or(HandedOver::ByMail, |hash| HandedOver::ByHand(hash));
        let expires_at = clock::now() + SecretPurpose::Invitation.lifetime();
        let new = NewInvitation { email: &email, seat, expires_at, handed_over };
        match self.store.invitation_insert(caller.scope(), &caller.actor(), &new).await.map_err(status::store)? {
            Invited::Yes(row) => {
                self.mail.wake();
                let link = secret.map(|secret| format!("{}/invitation#{secret}", self.public_url)).unwrap_or_default();
                let invitation = Some(invitation_to_proto(row));
                Ok(Response::new(proto::CreateInvitationResponse { invitation, link }))
            }
            Invited::NoSuchHome => Err(status::not_found("home")),
            Invited::IsIn => Err(Status::already_exists(format!("{email} is in there; change the role instead"))),
        }
    }

    async fn list_invitations(
        &self,
        request: Request<proto::ListInvitationsRequest>,
    ) -> Result<Response<proto::ListInvitationsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let size = page::size(request.get_ref().page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "invitations");
        let after = list.position(&request.get_ref().page_token)?.and_then(|id| id.parse().ok());
        let mut rows = self.store.invitation_list_page(caller.scope(), after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.id.to_string()));
        let invitations = rows.into_iter().map(invitation_to_proto).collect();
        Ok(Response::new(proto::ListInvitationsResponse { invitations, next_page_token }))
    }

    async fn revoke_invitation(
        &self,
        request: Request<proto::RevokeInvitationRequest>,
    ) -> Result<Response<proto::RevokeInvitationResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.get_ref().id.parse().map_err(|error| status::invalid("id", error))?;
        if self.store.invitation_revoke(caller.scope(), &caller.actor(), id).await.map_err(status::store)? {
            Ok(Response::new(proto::RevokeInvitationResponse {}))
        } else {
            Err(status::not_found("invitation that waits"))
        }
    }

    async fn look_up_invitation(
        &self,
        request: Request<proto::LookUpInvitationRequest>,
    ) -> Result<Response<proto::LookUpInvitationResponse>, Status> {
        let hash = fields::secret("secret", &request.get_ref().secret)?;
        let found = self.store.invitation_look_up(&hash).await.map_err(status::store)?.ok_or_else(is_over)?;
        Ok(Response::new(proto::LookUpInvitationResponse {
            invitation: Some(invitation_to_proto(found.invitation)),
            organization_name: found.organization_name,
        }))
    }

    async fn accept_invitation(
        &self,
        request: Request<proto::AcceptInvitationRequest>,
    ) -> Result<Response<proto::AcceptInvitationResponse>, Status> {
        let somebody = Somebody::of(&request)?;
        let hash = fields::secret("secret", &request.get_ref().secret)?;
        let scope = somebody.person().scope();
        match self.store.invitation_accept(&scope, &somebody.actor(), &hash).await.map_err(status::store)? {
            InvitationAccepted::Yes(mine) => {
                self.rights.changed(scope.account()).await;
                let organization = Some(organization_to_proto(mine));
                Ok(Response::new(proto::AcceptInvitationResponse { organization }))
            }
            InvitationAccepted::NoSuchInvitation => Err(is_over()),
            InvitationAccepted::ForSomebodyElse => Err(Status::permission_denied(
                "this invitation is for another address than that of your account; sign in with that one, or ask for another invitation",
            )),
        }
    }
}

//! Bringing people in.

use super::client::{call, empty_answer};
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::{
    CreateInvitationRequest, CreateInvitationResponse, Invitation, LookUpInvitationResponse, Organization,
};

/// Invites somebody.
pub(crate) async fn create(request: CreateInvitationRequest) -> Result<CreateInvitationResponse, Failure> {
    call(methods::CREATE_INVITATION, &request).await
}

/// A page of those that nobody has accepted, and where the next one begins.
pub(crate) async fn list(page_token: String) -> Result<(Vec<Invitation>, String), Failure> {
    let request = proto::ListInvitationsRequest { page_size: super::PAGE, page_token };
    let answer = call(methods::LIST_INVITATIONS, &request).await?;
    Ok((answer.invitations, answer.next_page_token))
}

/// Takes one back.
pub(crate) async fn revoke(id: String) -> Result<(), Failure> {
    call(methods::REVOKE_INVITATION, &proto::RevokeInvitationRequest { id }).await.map(|_| ())
}

/// What an invitation is to.
pub(crate) async fn look_up(secret: String) -> Result<LookUpInvitationResponse, Failure> {
    call(methods::LOOK_UP_INVITATION, &proto::LookUpInvitationRequest { secret }).await
}

/// Brings the person in, and says where.
pub(crate) async fn accept(secret: String) -> Result<Organization, Failure> {
    let answer = call(methods::ACCEPT_INVITATION, &proto::AcceptInvitationRequest { secret }).await?;
    answer.organization.ok_or_else(empty_answer)
}

//! Boxes that wait to be claimed.

use super::client::{empty_answer, failure, for_calls};
use crate::model::failure::Failure;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, ApproveClaimResponse, Claim, DenyClaimRequest, LookUpClaimRequest};

/// What the box with this code says of itself.
pub(crate) async fn look_up(code: String) -> Result<Claim, Failure> {
    let answer = ClaimServiceClient::new(for_calls()).look_up_claim(LookUpClaimRequest { code }).await;
    answer.map_err(|status| failure(&status))?.into_inner().claim.ok_or_else(empty_answer)
}

/// Takes the box in.
pub(crate) async fn approve(request: ApproveClaimRequest) -> Result<ApproveClaimResponse, Failure> {
    let answer = ClaimServiceClient::new(for_calls()).approve_claim(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
}

/// Turns the box away.
pub(crate) async fn deny(code: String) -> Result<(), Failure> {
    let answer = ClaimServiceClient::new(for_calls()).deny_claim(DenyClaimRequest { code }).await;
    answer.map(|_| ()).map_err(|status| failure(&status))
}

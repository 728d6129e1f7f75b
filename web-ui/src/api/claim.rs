//! Boxes that wait to be claimed.

use super::client::{call, empty_answer};
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, ApproveClaimResponse, Claim, DenyClaimRequest, LookUpClaimRequest};

/// What the box with this code says of itself.
pub(crate) async fn look_up(code: String) -> Result<Claim, Failure> {
    call(methods::LOOK_UP_CLAIM, &LookUpClaimRequest { code }).await?.claim.ok_or_else(empty_answer)
}

/// Takes the box in.
pub(crate) async fn approve(request: ApproveClaimRequest) -> Result<ApproveClaimResponse, Failure> {
    call(methods::APPROVE_CLAIM, &request).await
}

/// Turns the box away.
pub(crate) async fn deny(code: String) -> Result<(), Failure> {
    call(methods::DENY_CLAIM, &DenyClaimRequest { code }).await.map(|_| ())
}

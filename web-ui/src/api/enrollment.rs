//! Boxes that wait for an operator.

use super::client::call;
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1::{
    ApproveEnrollmentRequest, ApproveEnrollmentResponse, DenyEnrollmentRequest, ListEnrollmentsRequest,
    ListEnrollmentsResponse,
};

/// The first of those that wait, and how many there are. The count says how many more there are, and they follow when these are gone.
pub(crate) async fn list() -> Result<ListEnrollmentsResponse, Failure> {
    let request = ListEnrollmentsRequest { page_size: super::PAGE, page_token: String::new() };
    call(methods::LIST_ENROLLMENTS, &request).await
}

/// Takes a box in, if it still says of itself what was shown.
pub(crate) async fn approve(request: ApproveEnrollmentRequest) -> Result<ApproveEnrollmentResponse, Failure> {
    call(methods::APPROVE_ENROLLMENT, &request).await
}

/// Turns a box away.
pub(crate) async fn deny(id: String) -> Result<(), Failure> {
    call(methods::DENY_ENROLLMENT, &DenyEnrollmentRequest { id }).await.map(|_| ())
}

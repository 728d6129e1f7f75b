//! Boxes that wait for an operator.

use super::client::{failure, for_calls};
use crate::model::failure::Failure;
use kaliun_proto::fleet::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::fleet::v1::{
    ApproveEnrollmentRequest, ApproveEnrollmentResponse, DenyEnrollmentRequest, ListEnrollmentsRequest,
    ListEnrollmentsResponse,
};

/// Boxes shown at once: what a person looks through. The count says how many more there are, and they follow when these are gone.
const PAGE: u32 = 50;

/// The first of those that wait, and how many there are.
pub(crate) async fn list() -> Result<ListEnrollmentsResponse, Failure> {
    let request = ListEnrollmentsRequest { page_size: PAGE, page_token: String::new() };
    let answer = EnrollmentServiceClient::new(for_calls()).list_enrollments(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
}

/// Takes a box in, if it still says of itself what was shown.
pub(crate) async fn approve(request: ApproveEnrollmentRequest) -> Result<ApproveEnrollmentResponse, Failure> {
    let answer = EnrollmentServiceClient::new(for_calls()).approve_enrollment(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
}

/// Turns a box away.
pub(crate) async fn deny(id: String) -> Result<(), Failure> {
    let answer = EnrollmentServiceClient::new(for_calls()).deny_enrollment(DenyEnrollmentRequest { id }).await;
    answer.map(|_| ()).map_err(|status| failure(&status))
}

//! Calls about boxes that wait for an operator.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::enrollment_service_client::EnrollmentServiceClient;

impl Caller<'_> {
    fn enrollments(&self) -> EnrollmentServiceClient<tonic::transport::Channel> {
        EnrollmentServiceClient::new(self.channel.clone())
    }

    pub(super) async fn list_enrollments(&self, handles: &Handles) -> Vec<Answer> {
        let ids =
            |page: &fleet::ListEnrollmentsResponse| listed(page.enrollments.iter().map(|waiting| waiting.id.as_str()));
        let all = self.enrollments().list_enrollments(self.request(fleet::ListEnrollmentsRequest::default())).await;
        let page = fleet::ListEnrollmentsRequest { page_size: 1, page_token: handles.pages.enrollments.clone() };
        let next = self.enrollments().list_enrollments(self.request(page)).await;
        vec![Answer::unary("all", all, ids).same_for_the_owner(), Answer::unary("a next page", next, ids)]
    }

    pub(super) async fn approve_enrollment(&self, handles: &Handles) -> Answer {
        let request = fleet::ApproveEnrollmentRequest { id: handles.enrollment_id.clone(), ..Default::default() };
        let outcome = self.enrollments().approve_enrollment(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }

    pub(super) async fn deny_enrollment(&self, handles: &Handles) -> Answer {
        let request = fleet::DenyEnrollmentRequest { id: handles.other_enrollment_id.clone() };
        let outcome = self.enrollments().deny_enrollment(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }
}

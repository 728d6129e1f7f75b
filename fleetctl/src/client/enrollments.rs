//! Calls about boxes that wait for an operator.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::fleet::v1::{
    ApproveEnrollmentRequest, ApproveEnrollmentResponse, DenyEnrollmentRequest, Enrollment, ListEnrollmentsRequest,
};

impl Client {
    fn enrollments(&self) -> EnrollmentServiceClient<SignedChannel> {
        EnrollmentServiceClient::new(self.channel())
    }

    /// Lists the boxes that wait.
    pub(crate) async fn enrollment_list(&self, paging: &Paging) -> Result<Listing<Enrollment>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListEnrollmentsRequest { page_size, page_token };
            let mut client = self.enrollments();
            let answer = self.call("list enrollments", message, |request| client.list_enrollments(request)).await?;
            Ok((answer.enrollments, answer.next_page_token))
        })
        .await
    }

    /// Takes a box in.
    pub(crate) async fn enrollment_approve(
        &self,
        message: ApproveEnrollmentRequest,
    ) -> Result<ApproveEnrollmentResponse, Failure> {
        let mut client = self.enrollments();
        let doing = format!("approve enrollment/{}", message.id);
        self.call(&doing, message, |request| client.approve_enrollment(request)).await.map_err(for_enrollment)
    }

    /// Turns a box away.
    pub(crate) async fn enrollment_deny(&self, id: String) -> Result<(), Failure> {
        let mut client = self.enrollments();
        let doing = format!("deny enrollment/{id}");
        let message = DenyEnrollmentRequest { id };
        self.call(&doing, message, |request| client.deny_enrollment(request)).await.map_err(for_enrollment)?;
        Ok(())
    }
}

fn for_enrollment(failure: Failure) -> Failure {
    let hint = "see what waits with `fleetctl enrollment list`";
    failure.not_found_hint(hint).state_hint(hint)
}

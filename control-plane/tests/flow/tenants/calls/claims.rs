//! Calls about boxes that wait. One that waits by code belongs to nobody, and any operator who knows its code may have it. What
//! must not be told is who has claimed which.

use super::Caller;
use crate::tenants::answer::Answer;
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;

impl Caller<'_> {
    fn claims(&self) -> ClaimServiceClient<tonic::transport::Channel> {
        ClaimServiceClient::new(self.channel.clone())
    }

    pub(super) async fn look_up_claim(&self, handles: &Handles) -> Answer {
        let request = fleet::LookUpClaimRequest { code: handles.claim_code.clone() };
        let outcome = self.claims().look_up_claim(self.request(request)).await;
        Answer::unary("a used code", outcome, |_| "found".to_owned()).same_for_the_owner()
    }

    pub(super) async fn approve_claim(&self, handles: &Handles) -> Vec<Answer> {
        let done = |_: &fleet::ApproveClaimResponse| "done".to_owned();
        let check = if self.check.is_empty() { "AC34".to_owned() } else { self.check.clone() };
        let used =
            fleet::ApproveClaimRequest { code: handles.claim_code.clone(), check: check.clone(), ..Default::default() };
        let into = fleet::ApproveClaimRequest {
            code: self.waiting.clone(),
            installation_id: handles.installation_id.clone(),
            check,
            name: format!("{}-claimed", self.tenant.word),
            ..Default::default()
        };
        let used = self.claims().approve_claim(self.request(used)).await;
        let into = self.claims().approve_claim(self.request(into)).await;
        vec![
            Answer::unary("a used code", used, done).same_for_the_owner(),
            Answer::unary("a good code, into a home", into, done),
        ]
    }

    pub(super) async fn deny_claim(&self, handles: &Handles) -> Answer {
        let request = fleet::DenyClaimRequest { code: handles.claim_code.clone() };
        let outcome = self.claims().deny_claim(self.request(request)).await;
        Answer::unary("a used code", outcome, |_| "done".to_owned()).same_for_the_owner()
    }
}

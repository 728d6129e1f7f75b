use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use tonic::transport::Channel;

impl Caller<'_> {
    fn authorities(&self) -> AuthorityServiceClient<Channel> {
        AuthorityServiceClient::new(self.channel.clone())
    }

    pub(super) async fn get_rotation(&self) -> Answer {
        let outcome = self.authorities().get_rotation(self.request(fleet::GetRotationRequest {})).await;
        Answer::unary("nothing", outcome, |_| "a rotation of all tenants".to_owned()).same_for_the_owner()
    }

    /// Begun and taken back at once, so that the next one finds the same.
    pub(super) async fn start_rotation(&self) -> Answer {
        let outcome = self.authorities().start_rotation(self.request(fleet::StartRotationRequest::default())).await;
        if outcome.is_ok() {
            let from = fleet::RotationPhase::Trust.into();
            let back = fleet::RollBackRotationRequest { from, force: true };
            let back = self.authorities().roll_back_rotation(self.request(back)).await;
            assert!(back.is_ok(), "{back:?}");
        }
        Answer::unary("nothing", outcome, |_| "a rotation began".to_owned()).same_for_the_owner()
    }

    pub(super) async fn advance_rotation(&self) -> Answer {
        let request = fleet::AdvanceRotationRequest { from: fleet::RotationPhase::Drain.into(), force: true };
        let outcome = self.authorities().advance_rotation(self.request(request)).await;
        Answer::unary("a phase it is not in", outcome, |_| "it went on".to_owned()).same_for_the_owner()
    }

    pub(super) async fn roll_back_rotation(&self) -> Answer {
        let request = fleet::RollBackRotationRequest { from: fleet::RotationPhase::Drain.into(), force: true };
        let outcome = self.authorities().roll_back_rotation(self.request(request)).await;
        Answer::unary("a phase it is not in", outcome, |_| "it went back".to_owned()).same_for_the_owner()
    }

    pub(super) async fn pause_rotation(&self) -> Answer {
        let request = fleet::PauseRotationRequest { reason: "a test".to_owned() };
        let outcome = self.authorities().pause_rotation(self.request(request)).await;
        Answer::unary("none is under way", outcome, |_| "it stands still".to_owned()).same_for_the_owner()
    }

    pub(super) async fn resume_rotation(&self) -> Answer {
        let outcome = self.authorities().resume_rotation(self.request(fleet::ResumeRotationRequest {})).await;
        Answer::unary("it is not paused", outcome, |_| "it goes on".to_owned()).same_for_the_owner()
    }

    pub(super) async fn get_unsigned_trust_bundle(&self) -> Answer {
        let request = self.request(fleet::GetUnsignedTrustBundleRequest {});
        let outcome = self.authorities().get_unsigned_trust_bundle(request).await;
        Answer::unary("none waits", outcome, |_| "a bundle".to_owned()).same_for_the_owner()
    }

    pub(super) async fn submit_trust_bundle(&self) -> Answer {
        let bundle = SignedTrustBundle { bundle: vec![1], signature: vec![1] };
        let request = self.request(fleet::SubmitTrustBundleRequest { bundle: Some(bundle) });
        let outcome = self.authorities().submit_trust_bundle(request).await;
        Answer::unary("none waits", outcome, |_| "it was taken".to_owned()).same_for_the_owner()
    }

    pub(super) async fn list_stragglers(&self, handles: &Handles) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (question, page_token) in [("all", ""), ("a place of another list", handles.pages.installations.as_str())] {
            let request = fleet::ListStragglersRequest {
                page_token: page_token.to_owned(),
                ..fleet::ListStragglersRequest::default()
            };
            let outcome = self.authorities().list_stragglers(self.request(request)).await;
            let essence =
                |list: &fleet::ListStragglersResponse| listed(list.stragglers.iter().map(|one| &one.device_name));
            answers.push(Answer::unary(question, outcome, essence).same_for_the_owner());
        }
        answers
    }
}

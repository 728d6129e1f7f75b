//! Calls about support's way into homes. Owners and support make them, so that nothing differs for a tenant's admin: `consents.rs` beside
//! the tenants has what they get.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::consent_service_client::ConsentServiceClient;
use tonic::transport::Channel;

impl Caller<'_> {
    fn consents(&self) -> ConsentServiceClient<Channel> {
        ConsentServiceClient::new(self.channel.clone())
    }

    pub(super) async fn request_consent(&self, handles: &Handles) -> Answer {
        let request = fleet::RequestConsentRequest {
            installation_id: handles.installation_id.clone(),
            reason: "the heating is off".to_owned(),
            ..Default::default()
        };
        let outcome = self.consents().request_consent(self.request(request)).await;
        Answer::unary("for a home", outcome, |_| "asked".to_owned()).same_for_the_owner()
    }

    pub(super) async fn list_consents(&self, handles: &Handles) -> Vec<Answer> {
        let homes = |page: &fleet::ListConsentsResponse| {
            listed(page.consents.iter().map(|consent| consent.installation_name.as_str()))
        };
        let all = self.consents().list_consents(self.request(fleet::ListConsentsRequest::default())).await;
        let page_token = handles.people.pages.consents.clone();
        let page = fleet::ListConsentsRequest { page_size: 1, page_token, only_open: false };
        let next = self.consents().list_consents(self.request(page)).await;
        vec![Answer::unary("all", all, homes).same_for_the_owner(), Answer::unary("a next page", next, homes)]
    }

    pub(super) async fn decide_consent(&self, handles: &Handles) -> Answer {
        let request = fleet::DecideConsentRequest { id: handles.people.consent_id.clone(), approve: true };
        let outcome = self.consents().decide_consent(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned()).same_for_the_owner()
    }

    pub(super) async fn end_consent(&self, handles: &Handles) -> Answer {
        let request = fleet::EndConsentRequest { id: handles.people.consent_id.clone() };
        let outcome = self.consents().end_consent(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned()).same_for_the_owner()
    }
}

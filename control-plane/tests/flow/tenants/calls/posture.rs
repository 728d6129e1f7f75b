//! Calls about what is wrong.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::posture_service_client::PostureServiceClient;
use tonic::transport::Channel;

impl Caller<'_> {
    fn postures(&self) -> PostureServiceClient<Channel> {
        PostureServiceClient::new(self.channel.clone())
    }

    pub(super) async fn list_findings(&self, handles: &Handles) -> Vec<Answer> {
        let sources = |list: &fleet::ListFindingsResponse| listed(list.findings.iter().map(|finding| &finding.source));
        let ask = async |page_token: String| {
            self.postures().list_findings(self.request(fleet::ListFindingsRequest { page_size: 1, page_token })).await
        };
        vec![
            Answer::unary("all", ask(String::new()).await, sources).same_for_the_owner(),
            Answer::unary("a next page", ask(handles.pages.findings.clone()).await, sources),
        ]
    }

    pub(super) async fn list_platform_findings(&self, handles: &Handles) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (question, page_token) in [("all", ""), ("a place of another list", handles.pages.installations.as_str())] {
            let request = fleet::ListPlatformFindingsRequest { page_size: 0, page_token: page_token.to_owned() };
            let outcome = self.postures().list_platform_findings(self.request(request)).await;
            let essence = |list: &fleet::ListPlatformFindingsResponse| {
                listed(list.findings.iter().map(|finding| &finding.message))
            };
            answers.push(Answer::unary(question, outcome, essence).same_for_the_owner());
        }
        answers
    }
}

//! Calls about tokens.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::api_token_service_client::ApiTokenServiceClient;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;

impl Caller<'_> {
    fn join_tokens(&self) -> JoinTokenServiceClient<tonic::transport::Channel> {
        JoinTokenServiceClient::new(self.channel.clone())
    }

    fn api_tokens(&self) -> ApiTokenServiceClient<tonic::transport::Channel> {
        ApiTokenServiceClient::new(self.channel.clone())
    }

    /// A title that somebody else's token has. It comes back, so it is taken out of the answer.
    pub(super) async fn create_join_token(&self, handles: &Handles) -> Answer {
        let description = handles.join_token_title.clone();
        let request = fleet::CreateJoinTokenRequest { description, ..Default::default() };
        let mut outcome = self.join_tokens().create_join_token(self.request(request)).await;
        if let Some(token) = outcome.as_mut().ok().and_then(|answer| answer.get_mut().join_token.as_mut()) {
            token.description.clear();
        }
        Answer::unary("a title that somebody has", outcome, |_| "made".to_owned()).same_for_the_owner()
    }

    pub(super) async fn list_join_tokens(&self, handles: &Handles) -> Vec<Answer> {
        let ids = |page: &fleet::ListJoinTokensResponse| listed(page.join_tokens.iter().map(|token| token.id.as_str()));
        let all = self.join_tokens().list_join_tokens(self.request(fleet::ListJoinTokensRequest::default())).await;
        let page = fleet::ListJoinTokensRequest { page_size: 1, page_token: handles.pages.join_tokens.clone() };
        let next = self.join_tokens().list_join_tokens(self.request(page)).await;
        vec![Answer::unary("all", all, ids).same_for_the_owner(), Answer::unary("a next page", next, ids)]
    }

    pub(super) async fn revoke_join_token(&self, handles: &Handles) -> Answer {
        let request = fleet::RevokeJoinTokenRequest { id: handles.join_token_id.clone() };
        let outcome = self.join_tokens().revoke_join_token(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }

    /// As for join tokens.
    pub(super) async fn create_api_token(&self, handles: &Handles) -> Answer {
        let (name, role) = (handles.api_token_title.clone(), fleet::Role::Viewer.into());
        let request = fleet::CreateApiTokenRequest { name, role, ..Default::default() };
        let mut outcome = self.api_tokens().create_api_token(self.request(request)).await;
        if let Some(token) = outcome.as_mut().ok().and_then(|answer| answer.get_mut().api_token.as_mut()) {
            token.name.clear();
        }
        Answer::unary("a title that somebody has", outcome, |_| "made".to_owned()).same_for_the_owner()
    }

    pub(super) async fn list_api_tokens(&self, handles: &Handles) -> Vec<Answer> {
        let ids = |page: &fleet::ListApiTokensResponse| listed(page.api_tokens.iter().map(|token| token.id.as_str()));
        let all = self.api_tokens().list_api_tokens(self.request(fleet::ListApiTokensRequest::default())).await;
        let page = fleet::ListApiTokensRequest { page_size: 1, page_token: handles.pages.api_tokens.clone() };
        let next = self.api_tokens().list_api_tokens(self.request(page)).await;
        vec![Answer::unary("all", all, ids).same_for_the_owner(), Answer::unary("a next page", next, ids)]
    }

    pub(super) async fn revoke_api_token(&self, handles: &Handles) -> Answer {
        let request = fleet::RevokeApiTokenRequest { id: handles.api_token_id.clone() };
        let outcome = self.api_tokens().revoke_api_token(self.request(request)).await;
        Answer::unary("by id", outcome, |_| "done".to_owned())
    }
}

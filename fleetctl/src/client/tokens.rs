//! Calls about join tokens and API tokens.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::api_token_service_client::ApiTokenServiceClient;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;
use kaliun_proto::fleet::v1::{
    ApiToken, CreateApiTokenRequest, CreateApiTokenResponse, CreateJoinTokenRequest, CreateJoinTokenResponse,
    JoinToken, ListApiTokensRequest, ListJoinTokensRequest, RevokeApiTokenRequest, RevokeJoinTokenRequest,
};

impl Client {
    fn join_tokens(&self) -> JoinTokenServiceClient<SignedChannel> {
        JoinTokenServiceClient::new(self.channel())
    }

    fn api_tokens(&self) -> ApiTokenServiceClient<SignedChannel> {
        ApiTokenServiceClient::new(self.channel())
    }

    /// Makes a join token.
    pub(crate) async fn join_token_create(
        &self,
        message: CreateJoinTokenRequest,
    ) -> Result<CreateJoinTokenResponse, Failure> {
        let mut client = self.join_tokens();
        self.call("create a join token", message, |request| client.create_join_token(request)).await
    }

    /// Lists join tokens.
    pub(crate) async fn join_token_list(&self, paging: &Paging) -> Result<Listing<JoinToken>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListJoinTokensRequest { page_size, page_token };
            let mut client = self.join_tokens();
            let answer = self.call("list join tokens", message, |request| client.list_join_tokens(request)).await?;
            Ok((answer.join_tokens, answer.next_page_token))
        })
        .await
    }

    /// Revokes a join token.
    pub(crate) async fn join_token_revoke(&self, id: String) -> Result<(), Failure> {
        let mut client = self.join_tokens();
        let doing = format!("revoke join-token/{id}");
        self.call(&doing, RevokeJoinTokenRequest { id }, |request| client.revoke_join_token(request))
            .await
            .map_err(|failure| failure.not_found_hint("see what there is with `fleetctl get join-tokens -o wide`"))?;
        Ok(())
    }

    /// Makes an API token.
    pub(crate) async fn api_token_create(
        &self,
        message: CreateApiTokenRequest,
    ) -> Result<CreateApiTokenResponse, Failure> {
        let mut client = self.api_tokens();
        self.call("create an API token", message, |request| client.create_api_token(request)).await
    }

    /// Lists API tokens.
    pub(crate) async fn api_token_list(&self, paging: &Paging) -> Result<Listing<ApiToken>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListApiTokensRequest { page_size, page_token };
            let mut client = self.api_tokens();
            let answer = self.call("list API tokens", message, |request| client.list_api_tokens(request)).await?;
            Ok((answer.api_tokens, answer.next_page_token))
        })
        .await
    }

    /// Revokes an API token.
    pub(crate) async fn api_token_revoke(&self, id: String) -> Result<(), Failure> {
        let mut client = self.api_tokens();
        let doing = format!("revoke api-token/{id}");
        self.call(&doing, RevokeApiTokenRequest { id }, |request| client.revoke_api_token(request))
            .await
            .map_err(|failure| failure.not_found_hint("see what there is with `fleetctl get api-tokens -o wide`"))?;
        Ok(())
    }
}

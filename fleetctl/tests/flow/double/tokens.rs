//! Join tokens and API tokens.

use super::{Services, page};
use crate::things::{NOW_MS, id};
use kaliun_proto::fleet::v1::api_token_service_server::ApiTokenService;
use kaliun_proto::fleet::v1::join_token_service_server::JoinTokenService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl JoinTokenService for Services {
    async fn create_join_token(
        &self,
        request: Request<CreateJoinTokenRequest>,
    ) -> Result<Response<CreateJoinTokenResponse>, Status> {
        self.enter(&request, "create_join_token").await?;
        let wanted = request.into_inner();
        let join_token = JoinToken {
            id: id(500),
            description: wanted.description,
            created_at_ms: NOW_MS,
            expires_at_ms: NOW_MS + i64::try_from(wanted.lifetime_seconds).unwrap() * 1_000,
            max_uses: wanted.max_uses,
            labels: wanted.labels,
            name_pattern: wanted.name_pattern,
            needs_approval: wanted.needs_approval,
            created_by: "admin@example.org".to_owned(),
            ..JoinToken::default()
        };
        let secret = "kjt1.a-join-token".to_owned();
        Ok(Response::new(CreateJoinTokenResponse { join_token: Some(join_token), secret }))
    }

    async fn list_join_tokens(
        &self,
        request: Request<ListJoinTokensRequest>,
    ) -> Result<Response<ListJoinTokensResponse>, Status> {
        self.enter(&request, "list_join_tokens").await?;
        let list = request.into_inner();
        let (join_tokens, next_page_token) = page(&self.world().join_tokens, list.page_size, &list.page_token)?;
        Ok(Response::new(ListJoinTokensResponse { join_tokens, next_page_token }))
    }

    async fn revoke_join_token(
        &self,
        request: Request<RevokeJoinTokenRequest>,
    ) -> Result<Response<RevokeJoinTokenResponse>, Status> {
        self.enter(&request, format!("revoke_join_token: {}", request.get_ref().id)).await?;
        Ok(Response::new(RevokeJoinTokenResponse {}))
    }
}

#[tonic::async_trait]
impl ApiTokenService for Services {
    async fn create_api_token(
        &self,
        request: Request<CreateApiTokenRequest>,
    ) -> Result<Response<CreateApiTokenResponse>, Status> {
        self.enter(&request, format!("create_api_token: {:?}", request.get_ref().installation_ids)).await?;
        let wanted = request.into_inner();
        let api_token = ApiToken {
            id: id(600),
            name: wanted.name,
            role: wanted.role,
            created_at_ms: NOW_MS,
            expires_at_ms: NOW_MS + i64::try_from(wanted.lifetime_seconds).unwrap() * 1_000,
            created_by: "admin@example.org".to_owned(),
            installation_ids: wanted.installation_ids,
            ..ApiToken::default()
        };
        Ok(Response::new(CreateApiTokenResponse { api_token: Some(api_token), secret: "kat1.a-new-token".to_owned() }))
    }

    async fn list_api_tokens(
        &self,
        request: Request<ListApiTokensRequest>,
    ) -> Result<Response<ListApiTokensResponse>, Status> {
        self.enter(&request, "list_api_tokens").await?;
        let list = request.into_inner();
        let (api_tokens, next_page_token) = page(&self.world().api_tokens, list.page_size, &list.page_token)?;
        Ok(Response::new(ListApiTokensResponse { api_tokens, next_page_token }))
    }

    async fn revoke_api_token(
        &self,
        request: Request<RevokeApiTokenRequest>,
    ) -> Result<Response<RevokeApiTokenResponse>, Status> {
        self.enter(&request, format!("revoke_api_token: {}", request.get_ref().id)).await?;
        Ok(Response::new(RevokeApiTokenResponse {}))
    }
}

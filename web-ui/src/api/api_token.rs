//! Tokens that automation uses in place of a password.

use super::client::call;
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::{ApiToken, CreateApiTokenRequest, CreateApiTokenResponse};

/// Makes one; the only answer that has its secret.
pub(crate) async fn create(request: CreateApiTokenRequest) -> Result<CreateApiTokenResponse, Failure> {
    call(methods::CREATE_API_TOKEN, &request).await
}

/// A page of them, and where the next one begins.
pub(crate) async fn list(page_token: String) -> Result<(Vec<ApiToken>, String), Failure> {
    let request = proto::ListApiTokensRequest { page_size: super::PAGE, page_token };
    let answer = call(methods::LIST_API_TOKENS, &request).await?;
    Ok((answer.api_tokens, answer.next_page_token))
}

/// Ends one now.
pub(crate) async fn revoke(id: String) -> Result<(), Failure> {
    call(methods::REVOKE_API_TOKEN, &proto::RevokeApiTokenRequest { id }).await.map(|_| ())
}

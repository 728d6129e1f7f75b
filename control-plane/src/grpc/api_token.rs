//! Tokens that automation signs in with.

use super::auth::{API_TOKEN_PREFIX, Caller};
use super::convert::role::{role_from_proto, role_to_proto};
use super::join_token::{lifetime, title};
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use crate::digest::{random, sha256};
use crate::rights::Rights;
use data_encoding::BASE64URL_NOPAD;
use kaliun_domain::token::ApiToken;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::api_token_service_server::ApiTokenService;
use kaliun_store::{AppStore, NewApiToken};
use kaliun_types::id::InstallationId;
use std::collections::BTreeSet;
use tonic::{Request, Response, Status};

/// Makes, lists and ends API tokens.
pub(crate) struct ApiTokens {
    pub(crate) store: AppStore,
    pub(crate) seal: PageSeal,
    pub(crate) rights: Rights,
}

/// Most homes that one token is bound to.
const HOMES_MAX: usize = 100;

/// How long a token works when the caller does not say: 90 days.
const LIFETIME_DEFAULT_SECONDS: u64 = 90 * 24 * 3600;

/// The homes that a token is to be bound to, each once.
fn homes(ids: &[String]) -> Result<Vec<InstallationId>, Status> {
    if ids.len() > HOMES_MAX {
        return Err(status::invalid("installation_ids", format!("must be at most {HOMES_MAX}")));
    }
    let parsed: Result<BTreeSet<InstallationId>, _> = ids.iter().map(|id| id.parse()).collect();
    Ok(parsed.map_err(|error| status::invalid("installation_ids", error))?.into_iter().collect())
}

fn to_proto(token: ApiToken) -> proto::ApiToken {
    proto::ApiToken {
        id: token.id.to_string(),
        name: token.name,
        role: role_to_proto(token.role).into(),
        created_at_ms: clock::to_ms(token.created_at),
        expires_at_ms: clock::to_ms(token.expires_at),
        last_used_at_ms: token.last_used_at.map_or(0, clock::to_ms),
        revoked_at_ms: token.revoked_at.map_or(0, clock::to_ms),
        created_by: token.created_by,
        installation_ids: token.homes.iter().map(ToString::to_string).collect(),
    }
}

#[tonic::async_trait]
impl ApiTokenService for ApiTokens {
    async fn create_api_token(
        &self,
        request: Request<proto::CreateApiTokenRequest>,
    ) -> Result<Response<proto::CreateApiTokenResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let role = role_from_proto(request.role)?;
        if caller.place().standing.role.is_none_or(|own| role > own) {
            return Err(Status::permission_denied(
                "role: a token may not have a higher role than the one who makes it",
            ));
        }
        let homes = homes(&request.installation_ids)?;
        let secret = format!("{API_TOKEN_PREFIX}{}", BASE64URL_NOPAD.encode(&random::<32>()));
        let token = NewApiToken {
            name: title("name", &request.name)?,
            role,
            homes: &homes,
            secret_hash: &sha256(secret.as_bytes()),
            expires_at: clock::now() + lifetime(request.lifetime_seconds, LIFETIME_DEFAULT_SECONDS)?,
        };
        let token = self.store.api_token_insert(caller.scope(), &caller.actor(), token).await.map_err(status::store)?;
        let token = token.ok_or_else(|| status::not_found("installation"))?;
        Ok(Response::new(proto::CreateApiTokenResponse { api_token: Some(to_proto(token)), secret }))
    }

    async fn list_api_tokens(
        &self,
        request: Request<proto::ListApiTokensRequest>,
    ) -> Result<Response<proto::ListApiTokensResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let size = page::size(request.page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "api-tokens");
        let after = list.position(&request.page_token)?.and_then(|id| id.parse().ok());
        let mut rows = self.store.api_token_list_page(caller.scope(), after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |token| list.token(&token.id.to_string()));
        let api_tokens = rows.into_iter().map(to_proto).collect();
        Ok(Response::new(proto::ListApiTokensResponse { api_tokens, next_page_token }))
    }

    async fn revoke_api_token(
        &self,
        request: Request<proto::RevokeApiTokenRequest>,
    ) -> Result<Response<proto::RevokeApiTokenResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let id = request.into_inner().id.parse().map_err(|error| status::invalid("id", error))?;
        let revoked = self.store.api_token_revoke(caller.scope(), &caller.actor(), id).await.map_err(status::store)?;
        if revoked {
            self.rights.token_changed(id).await;
            Ok(Response::new(proto::RevokeApiTokenResponse {}))
        } else {
            Err(status::not_found("live API token"))
        }
    }
}

//! Tokens that boxes enrol with.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use crate::digest::{random, sha256};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use kaliun_domain::name_pattern::NamePattern;
use kaliun_domain::token::JoinToken;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::join_token_service_server::JoinTokenService;
use kaliun_store::{AppStore, NewJoinToken};
use kaliun_types::join_token::PREFIX;
use kaliun_types::label;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// Makes, lists and ends join tokens.
pub(crate) struct JoinTokens {
    pub(crate) store: AppStore,
    pub(crate) seal: PageSeal,
    pub(crate) trust_hash: [u8; 32],
}

/// Most boxes that one token lets in.
const USES_MAX: u32 = 1_000_000;

/// How long a token works when the caller does not say: a day.
const LIFETIME_DEFAULT_SECONDS: u64 = 24 * 3600;

/// A lifetime from a request, seconds.
pub(crate) fn lifetime(asked_seconds: u64, default_seconds: u64) -> Result<Duration, Status> {
    const LEAST: u64 = 60;
    const MOST: u64 = 365 * 24 * 3600;
    match asked_seconds {
        0 => Ok(Duration::from_secs(default_seconds)),
        LEAST..=MOST => Ok(Duration::from_secs(asked_seconds)),
        _ => Err(status::invalid("lifetime_seconds", format!("must be {LEAST} to {MOST}"))),
    }
}

/// A name or description from a request.
pub(crate) fn title<'a>(field: &str, text: &'a str) -> Result<&'a str, Status> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=63).contains(&length) && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(status::invalid(field, format!("must have 1 to 63 printable characters, not {length}")))
    }
}

fn to_proto(token: JoinToken) -> proto::JoinToken {
    proto::JoinToken {
        id: token.id.to_string(),
        description: token.description,
        created_at_ms: clock::to_ms(token.created_at),
        expires_at_ms: clock::to_ms(token.expires_at),
        max_uses: token.max_uses.unsigned_abs(),
        uses: token.uses.unsigned_abs(),
        labels: token.labels.into_iter().collect(),
        revoked_at_ms: token.revoked_at.map_or(0, clock::to_ms),
        name_pattern: token.name_pattern.map(|pattern| pattern.to_string()).unwrap_or_default(),
        needs_approval: token.needs_approval,
        created_by: token.created_by,
    }
}

#[tonic::async_trait]
impl JoinTokenService for JoinTokens {
    async fn create_join_token(
        &self,
        request: Request<proto::CreateJoinTokenRequest>,
    ) -> Result<Response<proto::CreateJoinTokenResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let max_uses = if request.max_uses == 0 { 1 } else { request.max_uses };
        if max_uses > USES_MAX {
            return Err(status::invalid("max_uses", format!("must be at most {USES_MAX}")));
        }
        let labels = label::check(request.labels).map_err(|error| status::invalid("labels", error))?;
        let name_pattern = match request.name_pattern.as_str() {
            "" => None,
            text => Some(NamePattern::parse(text).map_err(|error| status::invalid("name_pattern", error))?),
        };
        let secret = BASE64URL_NOPAD.encode(&random::<24>());
        let token = NewJoinToken {
            description: title("description", &request.description)?,
            secret_hash: &sha256(secret.as_bytes()),
            labels: &labels,
            name_pattern: name_pattern.as_ref(),
            needs_approval: request.needs_approval,
            max_uses: i32::try_from(max_uses).unwrap_or(i32::MAX),
            expires_at: clock::now() + lifetime(request.lifetime_seconds, LIFETIME_DEFAULT_SECONDS)?,
        };
        let token =
            self.store.join_token_insert(caller.scope(), &caller.actor(), token).await.map_err(status::store)?;
        let secret = format!("{PREFIX}.{secret}.{}", HEXLOWER.encode(&self.trust_hash));
        Ok(Response::new(proto::CreateJoinTokenResponse { join_token: Some(to_proto(token)), secret }))
    }

    async fn list_join_tokens(
        &self,
        request: Request<proto::ListJoinTokensRequest>,
    ) -> Result<Response<proto::ListJoinTokensResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let size = page::size(request.page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "join-tokens");
        let after = list.position(&request.page_token)?.and_then(|id| id.parse().ok());
        let mut rows = self.store.join_token_list_page(caller.scope(), after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |token| list.token(&token.id.to_string()));
        let join_tokens = rows.into_iter().map(to_proto).collect();
        Ok(Response::new(proto::ListJoinTokensResponse { join_tokens, next_page_token }))
    }

    async fn revoke_join_token(
        &self,
        request: Request<proto::RevokeJoinTokenRequest>,
    ) -> Result<Response<proto::RevokeJoinTokenResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let id = request.into_inner().id.parse().map_err(|error| status::invalid("id", error))?;
        let revoked = self.store.join_token_revoke(caller.scope(), &caller.actor(), id).await.map_err(status::store)?;
        if revoked {
            Ok(Response::new(proto::RevokeJoinTokenResponse {}))
        } else {
            Err(status::not_found("live join token"))
        }
    }
}

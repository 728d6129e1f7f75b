//! Rules by which what a provider says of somebody gives a role, for an organization's admins.

use super::auth::Caller;
use super::convert::role::{role_from_proto, role_to_proto};
use super::status;
use crate::clock;
use crate::identity_providers::IdentityProviders;
use kaliun_domain::joining::ClaimRule;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::claim_rule_service_server::ClaimRuleService;
use kaliun_store::{AppStore, ClaimRuleRow, SystemStore};
use tonic::{Request, Response, Status};

/// Longest name of a claim, and longest value, bytes: as they are taken from what providers say.
const CLAIM_MAX_BYTES: usize = 128;
const VALUE_MAX_BYTES: usize = 256;

/// Makes and lists rules, and takes them away.
pub(crate) struct ClaimRules {
    pub(crate) store: AppStore,
    pub(crate) system: SystemStore,
    pub(crate) providers: IdentityProviders,
}

#[tonic::async_trait]
impl ClaimRuleService for ClaimRules {
    async fn create_claim_rule(
        &self,
        request: Request<proto::CreateClaimRuleRequest>,
    ) -> Result<Response<proto::CreateClaimRuleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let asked = request.get_ref();
        if !self.providers.has(&asked.provider) {
            let known: Vec<&str> = self.providers.names().map(|(id, _name)| id).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            return Err(status::invalid("provider", format!("is no provider of this server; {known}")));
        }
        let rule = ClaimRule {
            claim: word("claim", &asked.claim, CLAIM_MAX_BYTES)?,
            value: word("value", &asked.value, VALUE_MAX_BYTES)?,
            role: role_from_proto(asked.role)?,
        };
        let made = self.system.claim_rule_insert(caller.scope(), &caller.actor(), &asked.provider, &rule).await;
        let rule = Some(to_proto(made.map_err(status::store)?));
        Ok(Response::new(proto::CreateClaimRuleResponse { rule }))
    }

    async fn list_claim_rules(
        &self,
        request: Request<proto::ListClaimRulesRequest>,
    ) -> Result<Response<proto::ListClaimRulesResponse>, Status> {
        let rows = self.store.claim_rule_list(Caller::of(&request)?.scope()).await.map_err(status::store)?;
        Ok(Response::new(proto::ListClaimRulesResponse { rules: rows.into_iter().map(to_proto).collect() }))
    }

    async fn delete_claim_rule(
        &self,
        request: Request<proto::DeleteClaimRuleRequest>,
    ) -> Result<Response<proto::DeleteClaimRuleResponse>, Status> {
        let caller = Caller::of(&request)?;
        let id = request.get_ref().id.parse().map_err(|error| status::invalid("id", error))?;
        if self.system.claim_rule_delete(caller.scope(), &caller.actor(), id).await.map_err(status::store)? {
            Ok(Response::new(proto::DeleteClaimRuleResponse {}))
        } else {
            Err(status::not_found("claim rule"))
        }
    }
}

fn word(field: &str, text: &str, most: usize) -> Result<String, Status> {
    if (1..=most).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(status::invalid(field, format!("must have 1 to {most} bytes, all printable")))
}

fn to_proto(row: ClaimRuleRow) -> proto::ClaimRule {
    proto::ClaimRule {
        id: row.id.to_string(),
        provider: row.provider,
        claim: row.rule.claim,
        value: row.rule.value,
        role: role_to_proto(row.rule.role).into(),
        created_at_ms: clock::to_ms(row.created_at),
    }
}

//! Domains and claim rules.

use super::Services;
use crate::things::{NOW_MS, id};
use kaliun_proto::fleet::v1::claim_rule_service_server::ClaimRuleService;
use kaliun_proto::fleet::v1::domain_service_server::DomainService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

/// The one domain that the organization says is its own.
fn domain(name: &str, role: i32, verified: bool) -> Domain {
    Domain {
        name: name.to_owned(),
        role,
        record_name: format!("_kaliun-fleet.{name}"),
        record_text: "kaliun-fleet=the-word".to_owned(),
        verified_at_ms: if verified { NOW_MS - 180_000 } else { 0 },
        verified_by: if verified { "dns".to_owned() } else { String::new() },
        created_at_ms: NOW_MS - 3_600_000,
    }
}

fn rule(claim: &str, value: &str, role: i32) -> ClaimRule {
    let (claim, value) = (claim.to_owned(), value.to_owned());
    ClaimRule { id: id(950), provider: "company".to_owned(), claim, value, role, created_at_ms: NOW_MS - 60_000 }
}

#[tonic::async_trait]
impl DomainService for Services {
    async fn create_domain(
        &self,
        request: Request<CreateDomainRequest>,
    ) -> Result<Response<CreateDomainResponse>, Status> {
        let asked = request.get_ref().clone();
        self.enter(&request, format!("create_domain: {} as {:?}", asked.name, asked.role())).await?;
        Ok(Response::new(CreateDomainResponse { domain: Some(domain(&asked.name, asked.role, false)) }))
    }

    async fn list_domains(
        &self,
        request: Request<ListDomainsRequest>,
    ) -> Result<Response<ListDomainsResponse>, Status> {
        self.enter(&request, "list_domains").await?;
        let (viewer, operator) = (Role::Viewer.into(), Role::Operator.into());
        let domains = vec![domain("example.net", viewer, false), domain("example.org", operator, true)];
        Ok(Response::new(ListDomainsResponse { domains }))
    }

    async fn verify_domain(
        &self,
        request: Request<VerifyDomainRequest>,
    ) -> Result<Response<VerifyDomainResponse>, Status> {
        let name = request.get_ref().name.clone();
        self.enter(&request, format!("verify_domain: {name}")).await?;
        if name != "example.org" {
            return Err(Status::not_found("no such domain of the organization"));
        }
        Ok(Response::new(VerifyDomainResponse { domain: Some(domain(&name, Role::Operator.into(), true)) }))
    }

    async fn confirm_domain(
        &self,
        request: Request<ConfirmDomainRequest>,
    ) -> Result<Response<ConfirmDomainResponse>, Status> {
        let asked = request.get_ref().clone();
        self.enter(&request, format!("confirm_domain: {} of {}", asked.name, asked.organization_id)).await?;
        Ok(Response::new(ConfirmDomainResponse {}))
    }

    async fn delete_domain(
        &self,
        request: Request<DeleteDomainRequest>,
    ) -> Result<Response<DeleteDomainResponse>, Status> {
        self.enter(&request, format!("delete_domain: {}", request.get_ref().name)).await?;
        Ok(Response::new(DeleteDomainResponse {}))
    }
}

#[tonic::async_trait]
impl ClaimRuleService for Services {
    async fn create_claim_rule(
        &self,
        request: Request<CreateClaimRuleRequest>,
    ) -> Result<Response<CreateClaimRuleResponse>, Status> {
        let asked = request.get_ref().clone();
        let call = format!("create_claim_rule: {} is {} at {}", asked.claim, asked.value, asked.provider);
        self.enter(&request, call).await?;
        Ok(Response::new(CreateClaimRuleResponse { rule: Some(rule(&asked.claim, &asked.value, asked.role)) }))
    }

    async fn list_claim_rules(
        &self,
        request: Request<ListClaimRulesRequest>,
    ) -> Result<Response<ListClaimRulesResponse>, Status> {
        self.enter(&request, "list_claim_rules").await?;
        Ok(Response::new(ListClaimRulesResponse { rules: vec![rule("groups", "crew", Role::Admin.into())] }))
    }

    async fn delete_claim_rule(
        &self,
        request: Request<DeleteClaimRuleRequest>,
    ) -> Result<Response<DeleteClaimRuleResponse>, Status> {
        self.enter(&request, format!("delete_claim_rule: {}", request.get_ref().id)).await?;
        Ok(Response::new(DeleteClaimRuleResponse {}))
    }
}

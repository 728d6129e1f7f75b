//! Claims, and the server itself.

use super::{CHECK, CODE, Services};
use crate::things::{NOW_MS, id};
use kaliun_proto::fleet::v1::claim_service_server::ClaimService;
use kaliun_proto::fleet::v1::server_service_server::ServerService;
use kaliun_proto::fleet::v1::*;
use kaliun_proto::telemetry::v1::Facts;
use tonic::{Request, Response, Status};

fn known_code(code: &str) -> Result<(), Status> {
    if code == CODE { Ok(()) } else { Err(Status::not_found("No box waits with this code.")) }
}

#[tonic::async_trait]
impl ClaimService for Services {
    async fn look_up_claim(
        &self,
        request: Request<LookUpClaimRequest>,
    ) -> Result<Response<LookUpClaimResponse>, Status> {
        self.enter(&request, "look_up_claim").await?;
        known_code(&request.get_ref().code)?;
        // The box answers between the first look-up and the second.
        let shows_check = self.world().calls.iter().filter(|call| call.as_str() == "look_up_claim").count() > 1;
        let facts = Facts {
            hostname: "box\u{1b}[31m-7".to_owned(),
            model: "NUC".to_owned(),
            agent_version: "0.1.0".to_owned(),
            cpu_count: 4,
            ..Facts::default()
        };
        let claim = Claim {
            facts: Some(facts),
            key_fingerprint: "1f3a 77c0 9b21 04de".to_owned(),
            expires_at_ms: NOW_MS + 600_000,
            source_address: "192.0.2.7".to_owned(),
            check_tries_left: 5,
            shows_check,
        };
        Ok(Response::new(LookUpClaimResponse { claim: Some(claim) }))
    }

    async fn approve_claim(
        &self,
        request: Request<ApproveClaimRequest>,
    ) -> Result<Response<ApproveClaimResponse>, Status> {
        let wanted = request.get_ref().clone();
        let mut labels: Vec<_> = wanted.labels.into_iter().collect();
        labels.sort();
        self.enter(
            &request,
            format!("approve_claim: {:?} in {:?} with {labels:?}", wanted.name, wanted.installation_id),
        )
        .await?;
        known_code(&wanted.code)?;
        if wanted.check != CHECK {
            return Err(Status::invalid_argument("check: these are not the characters on the box's screen"));
        }
        Ok(Response::new(ApproveClaimResponse { device_id: id(7), device_name: "box-7".to_owned() }))
    }

    async fn deny_claim(&self, request: Request<DenyClaimRequest>) -> Result<Response<DenyClaimResponse>, Status> {
        self.enter(&request, "deny_claim").await?;
        known_code(&request.get_ref().code)?;
        Ok(Response::new(DenyClaimResponse {}))
    }
}

#[tonic::async_trait]
impl ServerService for Services {
    async fn get_version(&self, request: Request<GetVersionRequest>) -> Result<Response<GetVersionResponse>, Status> {
        let signed = request.metadata().contains_key("authorization");
        self.world().calls.push(format!("get_version: signed {signed}"));
        Ok(Response::new(GetVersionResponse { version: "9.9.9".to_owned(), link_protocol: 1 }))
    }
}

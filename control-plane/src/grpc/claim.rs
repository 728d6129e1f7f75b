//! Boxes that wait to be claimed.

use super::auth::Caller;
use super::status;
use crate::authority::Authority;
use crate::clock;
use crate::digest::{fingerprint, sha256};
use crate::grpc::enrollment::Waiting;
use crate::limiter::Limiter;
use kaliun_domain::claim_code::ClaimCode;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::claim_service_server::ClaimService;
use kaliun_proto::telemetry::v1::Facts;
use kaliun_store::{Approval, EnrollmentRow, NotApproved, SystemStore};
use kaliun_types::id::OrganizationId;
use kaliun_types::label;
use kaliun_types::name::DeviceName;
use prost::Message;
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status};

/// Finds, takes and turns away waiting boxes.
pub(crate) struct Claims {
    store: SystemStore,
    authority: Authority,
    waiting: Waiting,
    changes: crate::changes::Changes,
    /// Codes that nobody waits under, by who tried them: whoever reads a code off a screen is not held up.
    wrong: Limiter<(OrganizationId, String)>,
}

impl Claims {
    pub(crate) fn new(
        store: SystemStore,
        authority: Authority,
        waiting: Waiting,
        changes: crate::changes::Changes,
    ) -> Self {
        Self { store, authority, waiting, changes, wrong: Limiter::new(30, Duration::from_secs(6)) }
    }

    fn code(&self, caller: &Caller, text: &str) -> Result<ClaimCode, Status> {
        self.wrong.has_one(&who(caller), Instant::now()).map_err(status::too_often)?;
        ClaimCode::parse(text).ok_or_else(|| {
            status::invalid("code", "must be the eight characters on the box's screen, such as AC34-67DX")
        })
    }

    async fn find(&self, caller: &Caller, code: &ClaimCode) -> Result<EnrollmentRow, Status> {
        self.store
            .enrollment_find_by_code(caller.scope(), code.as_str())
            .await
            .map_err(status::store)?
            .ok_or_else(|| self.missed(caller))
    }

    /// Counts a code that nobody waits under.
    fn missed(&self, caller: &Caller) -> Status {
        // Whoever has used all tries up is told so before the next one.
        let _used_up = self.wrong.take(&who(caller), Instant::now());
        no_such_code()
    }
}

/// Against whom a wrong code counts.
fn who(caller: &Caller) -> (OrganizationId, String) {
    (caller.scope().organization(), caller.actor().name)
}

fn no_such_code() -> Status {
    Status::not_found(
        "no box waits under this code; look at its screen, for the code changes every 15 minutes and works once",
    )
}

fn facts_of(row: &EnrollmentRow) -> Facts {
    Facts::decode(row.facts.as_slice()).unwrap_or_default()
}

#[tonic::async_trait]
impl ClaimService for Claims {
    async fn look_up_claim(
        &self,
        request: Request<proto::LookUpClaimRequest>,
    ) -> Result<Response<proto::LookUpClaimResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let code = self.code(&caller, &request.into_inner().code)?;
        let row = self.find(&caller, &code).await?;
        let claim = proto::Claim {
            facts: Some(facts_of(&row)),
            key_fingerprint: fingerprint(&row.key_hash),
            expires_at_ms: clock::to_ms(row.code_expires_at),
            source_address: row.source_address,
        };
        Ok(Response::new(proto::LookUpClaimResponse { claim: Some(claim) }))
    }

    async fn approve_claim(
        &self,
        request: Request<proto::ApproveClaimRequest>,
    ) -> Result<Response<proto::ApproveClaimResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let code = self.code(&caller, &request.code)?;
        let name = match request.name.as_str() {
            "" => None,
            name => Some(DeviceName::parse(name).map_err(|error| status::invalid("name", error))?),
        };
        let installation = match request.installation_id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|error| status::invalid("installation_id", error))?),
        };
        let labels = label::check(request.labels).map_err(|error| status::invalid("labels", error))?;
        let row = self.find(&caller, &code).await?;
        let approval = Approval {
            installation,
            name: name.as_ref(),
            fallback_name: &DeviceName::from_hostname(&facts_of(&row).hostname),
            labels: &labels,
            facts_hash: &sha256(&row.facts),
            certificate: self.authority.current().grant(self.authority.now()),
        };
        let (enrollment, enrolled) = self
            .store
            .enrollment_approve(caller.scope(), &caller.actor(), code.as_str(), approval)
            .await
            .map_err(status::store)?
            .map_err(|refused| match refused {
                NotApproved::NoSuchCode => no_such_code(),
                NotApproved::NoSuchInstallation => status::not_found("installation"),
                NotApproved::KeyRefused(reason) => status::refusal(reason),
            })?;
        self.waiting.decided(enrollment);
        self.changes.tell(enrolled.organization, enrolled.device);
        Ok(Response::new(proto::ApproveClaimResponse {
            device_id: enrolled.device.to_string(),
            device_name: enrolled.name,
        }))
    }

    async fn deny_claim(
        &self,
        request: Request<proto::DenyClaimRequest>,
    ) -> Result<Response<proto::DenyClaimResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let code = self.code(&caller, &request.into_inner().code)?;
        let enrollment = self
            .store
            .enrollment_deny(caller.scope(), &caller.actor(), code.as_str())
            .await
            .map_err(status::store)?
            .ok_or_else(|| self.missed(&caller))?;
        self.waiting.decided(enrollment);
        Ok(Response::new(proto::DenyClaimResponse {}))
    }
}

//! Boxes that wait for an operator of their token's organization.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::authority::Authority;
use crate::changes::Changes;
use crate::clock;
use crate::digest::{fingerprint, sha256};
use crate::grpc::enrollment::{Waiting, name_parts};
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::enrollment_service_server::EnrollmentService;
use kaliun_proto::telemetry::v1::Facts;
use kaliun_store::{AppStore, Approval, Enrolled, NotApproved, SystemStore, WaitingRow};
use kaliun_types::id::{EnrollmentId, InstallationId};
use kaliun_types::label::{self, Labels};
use kaliun_types::name::DeviceName;
use prost::Message;
use tonic::{Request, Response, Status};

/// Lists, takes in and turns away.
pub(crate) struct Admissions {
    pub(crate) store: AppStore,
    pub(crate) system: SystemStore,
    pub(crate) authority: Authority,
    pub(crate) waiting: Waiting,
    pub(crate) changes: Changes,
    pub(crate) seal: PageSeal,
}

fn facts_of(row: &WaitingRow) -> Facts {
    Facts::decode(row.facts.as_slice()).unwrap_or_default()
}

fn to_proto(row: WaitingRow) -> proto::Enrollment {
    let facts = facts_of(&row);
    proto::Enrollment {
        id: row.id.to_string(),
        key_fingerprint: fingerprint(&row.key_hash),
        asked_at_ms: clock::to_ms(row.created_at),
        expires_at_ms: clock::to_ms(row.expires_at),
        join_token_id: row.join_token.to_string(),
        name: row.name(&name_parts(&facts, &row.key_hash)).to_string(),
        join_token_description: row.join_token_description,
        source_address: row.source_address,
        facts_hash: sha256(&row.facts).to_vec(),
        facts: Some(facts),
    }
}

fn id_from(text: &str) -> Result<EnrollmentId, Status> {
    text.parse().map_err(|error| status::invalid("id", error))
}

impl Admissions {
    /// Takes a box in. None when it does not wait.
    async fn admit(
        &self,
        caller: &Caller,
        id: EnrollmentId,
        seen_facts_hash: &[u8],
        name: Option<&DeviceName>,
        installation: Option<InstallationId>,
        labels: &Labels,
    ) -> Result<Option<Enrolled>, Status> {
        let row = self.store.enrollment_waiting(caller.scope(), id).await.map_err(status::store)?;
        let Some(row) = row else { return Ok(None) };
        let facts = facts_of(&row);
        let facts_hash = sha256(&row.facts);
        if !seen_facts_hash.is_empty() && seen_facts_hash != facts_hash {
            return Err(came_again());
        }
        let now = self.authority.now();
        let approval = Approval {
            installation,
            name,
            parts: name_parts(&facts, &row.key_hash),
            labels,
            facts_hash: &facts_hash,
            certificate: self.authority.current().grant(now),
        };
        let admitted = self.system.enrollment_admit(caller.scope(), &caller.actor(), id, approval, now).await;
        match admitted.map_err(status::store)? {
            Ok(enrolled) => Ok(Some(enrolled)),
            Err(NotApproved::NoSuchCode | NotApproved::NoSuchEnrollment) => Ok(None),
            Err(NotApproved::HasChanged) => Err(came_again()),
            Err(NotApproved::NoSuchInstallation) => Err(status::not_found("installation")),
            Err(NotApproved::NoInstallation) => {
                Err(status::invalid("installation_id", "is missing: name a home of yours"))
            }
            Err(NotApproved::TokenRefused(reason)) => Err(Status::failed_precondition(format!(
                "{}: the join token that this box came with lets no box in any more; make another and enrol the box with it",
                reason.code()
            ))),
            Err(NotApproved::KeyRefused(reason)) => Err(status::not_taken_in(reason)),
        }
    }
}

#[tonic::async_trait]
impl EnrollmentService for Admissions {
    async fn list_enrollments(
        &self,
        request: Request<proto::ListEnrollmentsRequest>,
    ) -> Result<Response<proto::ListEnrollmentsResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let size = page::size(request.page_size, page::DEFAULT)?;
        let list = self.seal.list(caller.scope(), "enrollments");
        let after = list.position(&request.page_token)?.and_then(|id| id.parse().ok());
        let page = self.store.enrollment_list_page(caller.scope(), after, size + 1).await.map_err(status::store)?;
        let (mut rows, count) = page;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.id.to_string()));
        let enrollments = rows.into_iter().map(to_proto).collect();
        let waiting_count = u32::try_from(count).unwrap_or(0);
        Ok(Response::new(proto::ListEnrollmentsResponse { enrollments, next_page_token, waiting_count }))
    }

    async fn approve_enrollment(
        &self,
        request: Request<proto::ApproveEnrollmentRequest>,
    ) -> Result<Response<proto::ApproveEnrollmentResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let id = id_from(&request.id)?;
        let name = match request.name.as_str() {
            "" => None,
            name => Some(DeviceName::parse(name).map_err(|error| status::invalid("name", error))?),
        };
        let installation = match request.installation_id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|error| status::invalid("installation_id", error))?),
        };
        let labels = label::check(request.labels).map_err(|error| status::invalid("labels", error))?;
        let admitted = self.admit(&caller, id, &request.facts_hash, name.as_ref(), installation, &labels).await?;
        let enrolled = match admitted {
            Some(enrolled) => enrolled,
            // Asked again, for the answer was lost, or two said yes at once.
            None => {
                let admitted = self.store.enrollment_admitted(caller.scope(), id).await.map_err(status::store)?;
                admitted.ok_or_else(nobody_waits)?
            }
        };
        self.waiting.decided(id);
        self.changes.tell(enrolled.organization, enrolled.device);
        Ok(Response::new(proto::ApproveEnrollmentResponse {
            device_id: enrolled.device.to_string(),
            device_name: enrolled.name,
        }))
    }

    async fn deny_enrollment(
        &self,
        request: Request<proto::DenyEnrollmentRequest>,
    ) -> Result<Response<proto::DenyEnrollmentResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let id = id_from(&request.into_inner().id)?;
        let denied = self.system.enrollment_turn_away(caller.scope(), &caller.actor(), id).await;
        if !denied.map_err(status::store)? {
            return Err(nobody_waits());
        }
        self.waiting.decided(id);
        Ok(Response::new(proto::DenyEnrollmentResponse {}))
    }
}

fn came_again() -> Status {
    Status::aborted("facts_hash: the box came again meanwhile and says something else of itself; look at it once more")
}

fn nobody_waits() -> Status {
    status::not_found("waiting box; it was decided about, or its token has ended")
}

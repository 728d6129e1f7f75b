//! Boxes that wait to be claimed.

mod tries;

use super::auth::{Caller, Source};
use super::status;
use crate::authority::Authority;
use crate::clock;
use crate::digest::{fingerprint, random, sha256};
use crate::grpc::enrollment::{Waiting, check_characters, name_parts};
use kaliun_domain::claim_code::ClaimCode;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::claim_service_server::ClaimService;
use kaliun_proto::telemetry::v1::Facts;
use kaliun_store::{Approval, ClaimChecked, EnrollmentRow, NotApproved, SystemStore};
use kaliun_types::claim_check::CheckCharacters;
use kaliun_types::label;
use kaliun_types::name::DeviceName;
use prost::Message;
use tonic::{Request, Response, Status};
use tries::{Tries, Try};

/// Finds, takes and turns away waiting boxes.
pub(crate) struct Claims {
    store: SystemStore,
    authority: Authority,
    waiting: Waiting,
    changes: crate::changes::Changes,
    tries: Tries,
}

impl Claims {
    pub(crate) fn new(
        store: SystemStore,
        authority: Authority,
        waiting: Waiting,
        changes: crate::changes::Changes,
    ) -> Self {
        Self { store, authority, waiting, changes, tries: Tries::new() }
    }

    fn begin<T>(&self, request: &Request<T>, code: &str) -> Result<(Caller, ClaimCode, Try<'_>), Status> {
        let caller = Caller::of(request)?.clone();
        let code = ClaimCode::parse(code).ok_or_else(|| {
            status::invalid("code", "must be the eight characters on the box's screen, such as AC34-67DX")
        })?;
        let a_try = self.tries.begin(&caller, request.extensions().get::<Source>().copied())?;
        Ok((caller, code, a_try))
    }

    /// Judges the check characters. Comparing takes as long for each wrong one as for the right one.
    async fn check(
        &self,
        caller: &Caller,
        code: &ClaimCode,
        typed: &CheckCharacters,
        a_try: Try<'_>,
    ) -> Result<EnrollmentRow, Status> {
        let trust_hash = self.authority.current().trust_hash();
        let is_right = |row: &EnrollmentRow| {
            check_characters(row, &trust_hash, code.as_str()).is_some_and(|right| {
                aws_lc_rs::constant_time::verify_slices_are_equal(right.as_str().as_bytes(), typed.as_str().as_bytes())
                    .is_ok()
            })
        };
        let checked = self.store.claim_check(caller.scope(), &caller.actor(), code.as_str(), &is_right).await;
        let checked = checked.map_err(status::store)?;
        if !matches!(checked, ClaimChecked::NoSuchCode) {
            a_try.was_right();
        }
        match checked {
            ClaimChecked::Right(row) => Ok(*row),
            ClaimChecked::NoSuchCode => Err(no_such_code()),
            ClaimChecked::NotLookedUp => Err(Status::failed_precondition(
                "check: the box shows its check characters only after its code was looked up; look it up, then read them off its screen",
            )),
            ClaimChecked::NotRevealed => Err(Status::failed_precondition(
                "check: the box has not answered yet, so its screen shows no check characters; look the code up again in a moment, and \
                 see whether the box is switched on and online if that goes on",
            )),
            ClaimChecked::Wrong { tries_left } => Err(status::invalid(
                "check",
                format!(
                    "these are not the characters on the box's screen; stop if it shows none (tries left: {tries_left})"
                ),
            )),
            ClaimChecked::Ended(enrollment) => {
                self.waiting.decided(enrollment);
                tracing::warn!(enrollment.id = %enrollment, "claim ended by wrong check characters");
                Err(Status::failed_precondition(
                    "check: wrong too often, so the code has ended; use the new code on the box's screen",
                ))
            }
        }
    }
}

fn no_such_code() -> Status {
    Status::not_found(
        "no box waits under this code; look at its screen, for the code changes every 15 minutes and works once",
    )
}

fn check_from(text: &str) -> Result<CheckCharacters, Status> {
    let problem = if text.trim().is_empty() {
        "is missing; look the code up, then type the four check characters that the box's screen shows"
    } else {
        "must be the four check characters on the box's screen, such as K7M4"
    };
    CheckCharacters::parse(text).ok_or_else(|| status::invalid("check", problem))
}

/// What a waiting box says of itself.
fn facts_of(row: &EnrollmentRow) -> Facts {
    Facts::decode(row.facts.as_slice()).unwrap_or_default()
}

#[tonic::async_trait]
impl ClaimService for Claims {
    async fn look_up_claim(
        &self,
        request: Request<proto::LookUpClaimRequest>,
    ) -> Result<Response<proto::LookUpClaimResponse>, Status> {
        let (caller, code, a_try) = self.begin(&request, &request.get_ref().code)?;
        let found = self.store.claim_look_up(caller.scope(), code.as_str(), &random()).await.map_err(status::store)?;
        let found = found.ok_or_else(no_such_code)?;
        a_try.was_right();
        let row = found.enrollment;
        // Its screen shows the check characters as soon as it has answered.
        if found.is_first {
            self.waiting.decided(row.id);
        }
        let claim = proto::Claim {
            facts: Some(facts_of(&row)),
            key_fingerprint: fingerprint(&row.key_hash),
            expires_at_ms: clock::to_ms(row.code_expires_at),
            source_address: row.source_address,
            check_tries_left: found.check_tries_left,
            shows_check: row.check_bytes.is_some(),
        };
        Ok(Response::new(proto::LookUpClaimResponse { claim: Some(claim) }))
    }

    async fn approve_claim(
        &self,
        request: Request<proto::ApproveClaimRequest>,
    ) -> Result<Response<proto::ApproveClaimResponse>, Status> {
        let (caller, code, a_try) = self.begin(&request, &request.get_ref().code)?;
        let request = request.into_inner();
        let name = match request.name.as_str() {
            "" => None,
            name => Some(DeviceName::parse(name).map_err(|error| status::invalid("name", error))?),
        };
        let installation = match request.installation_id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|error| status::invalid("installation_id", error))?),
        };
        let labels = label::check(request.labels).map_err(|error| status::invalid("labels", error))?;
        let check = check_from(&request.check)?;
        let row = self.check(&caller, &code, &check, a_try).await?;
        let facts = facts_of(&row);
        let approval = Approval {
            installation,
            name: name.as_ref(),
            parts: name_parts(&facts, &row.key_hash),
            labels: &labels,
            facts_hash: &sha256(&row.facts),
            certificate: self.authority.current().grant(self.authority.now()),
        };
        let (enrollment, enrolled) = self
            .store
            .enrollment_approve(caller.scope(), &caller.actor(), code.as_str(), &row, approval)
            .await
            .map_err(status::store)?
            .map_err(|refused| match refused {
                NotApproved::NoSuchCode
                | NotApproved::NoSuchEnrollment
                | NotApproved::HasChanged
                | NotApproved::TokenRefused(_) => no_such_code(),
                NotApproved::NoSuchInstallation => status::not_found("installation"),
                NotApproved::NoInstallation => {
                    status::invalid("installation_id", "is missing: name the home of yours that the box will serve")
                }
                NotApproved::KeyRefused(reason) => status::not_taken_in(reason),
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
        let (caller, code, a_try) = self.begin(&request, &request.get_ref().code)?;
        let enrollment = self
            .store
            .enrollment_deny(caller.scope(), &caller.actor(), code.as_str())
            .await
            .map_err(status::store)?
            .ok_or_else(no_such_code)?;
        a_try.was_right();
        self.waiting.decided(enrollment);
        Ok(Response::new(proto::DenyClaimResponse {}))
    }
}

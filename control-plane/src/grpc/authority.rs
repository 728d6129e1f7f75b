//! The authorities for devices, and the change from one to the next.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::authority::Authority;
use crate::authority::rotation::{Direction, RotationError, RotationNow, rotations_left};
use crate::clock;
use kaliun_domain::rotation::{Course, GRACE_LEAST, GRACE_MOST, Phase, Standing};
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::authority_service_server::AuthorityService;
use kaliun_proto::telemetry::v1::Reason;
use kaliun_store::{StragglerRow, SystemStore};
use kaliun_types::id::OrganizationId;
use kaliun_types::reason::ReasonCode;
use std::time::{Duration, SystemTime};
use tonic::{Request, Response, Status};

/// How long a rotation waits for devices when nothing else is asked for.
const GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Shows and changes the authorities.
pub(crate) struct Authorities {
    pub(crate) authority: Authority,
    pub(crate) system: SystemStore,
    pub(crate) seal: PageSeal,
}

fn phase_to_proto(phase: Phase) -> proto::RotationPhase {
    match phase {
        Phase::Steady => proto::RotationPhase::Steady,
        Phase::Trust => proto::RotationPhase::Trust,
        Phase::Issue => proto::RotationPhase::Issue,
        Phase::Drain => proto::RotationPhase::Drain,
    }
}

fn phase_from_proto(phase: proto::RotationPhase) -> Result<Phase, Status> {
    match phase {
        proto::RotationPhase::Trust => Ok(Phase::Trust),
        proto::RotationPhase::Issue => Ok(Phase::Issue),
        proto::RotationPhase::Drain => Ok(Phase::Drain),
        proto::RotationPhase::Steady | proto::RotationPhase::Unspecified => {
            Err(status::invalid("from", "name the phase to leave: trust, issue or drain"))
        }
    }
}

pub(super) fn refused(error: RotationError) -> Status {
    match error {
        RotationError::OtherPhase(_)
        | RotationError::NotReady(_)
        | RotationError::NotBack(_)
        | RotationError::Paused(_)
        | RotationError::NotPaused
        | RotationError::ChainFull
        | RotationError::ChainReserved
        | RotationError::NoBundle
        | RotationError::NothingUnsigned => Status::failed_precondition(error.to_string()),
        RotationError::OtherBundle(_) | RotationError::OtherSignature(_) => Status::invalid_argument(error.to_string()),
        RotationError::Store(error) => status::store(error),
        RotationError::Authority(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the authorities could not be changed");
            Status::internal("the keys could not be used; the operator finds the cause in the log by the request id")
        }
    }
}

/// For somebody of an organization: of others' boxes, how they stand, and nothing that says which they are.
fn straggler_to_proto(row: StragglerRow, own: OrganizationId) -> proto::Straggler {
    let is_own = row.organization == own;
    proto::Straggler {
        device_id: if is_own { row.device.to_string() } else { String::new() },
        device_name: if is_own { row.name } else { String::new() },
        is_online: row.online,
        link_since_ms: clock::to_ms(row.link_since),
        trust_bundle_version: row.trust_version.unsigned_abs(),
        certificate_authority: row.shown_authority.unsigned_abs(),
    }
}

fn grace_from_proto(asked: &proto::StartRotationRequest) -> Result<Option<Duration>, Status> {
    let grace = Duration::from_millis(asked.grace_ms);
    match (asked.is_automatic, asked.grace_ms) {
        (false, 0) => Ok(None),
        (false, _) => Err(status::invalid("grace_ms", "is for a rotation that goes by itself; set is_automatic, too")),
        (true, 0) => Ok(Some(GRACE)),
        (true, _) if (GRACE_LEAST..=GRACE_MOST).contains(&grace) => Ok(Some(grace)),
        (true, _) => Err(status::invalid("grace_ms", "must be 10 minutes to 365 days")),
    }
}

/// Why it was paused, from a request.
fn pause_reason(text: &str) -> Result<&str, Status> {
    let text = text.trim();
    let length = text.chars().count();
    if (1..=200).contains(&length) && !text.chars().any(char::is_control) {
        Ok(text)
    } else {
        Err(status::invalid("reason", format!("must have 1 to 200 printable characters, not {length}")))
    }
}

/// Why a rotation does not go on, in words, and since when.
pub(super) struct HeldUp {
    pub(super) code: ReasonCode,
    pub(super) message: String,
    pub(super) since: SystemTime,
}

/// What holds it up; none for one that somebody takes each step of.
pub(super) fn held_up(now: &RotationNow, course: Course, standing: Standing) -> Option<HeldUp> {
    let reason = |code, message, since| Some(HeldUp { code, message, since });
    if let Some(pause) = &now.steering.pause {
        return reason(ReasonCode::RotationPaused, pause.reason.clone(), pause.since);
    }
    if let Some(unsigned) = &now.unsigned {
        let message = format!("Trust bundle {} waits for its signature.", unsigned.version);
        return reason(ReasonCode::RotationUnsigned, message, unsigned.asked_at);
    }
    let (devices, behind) = (standing.devices, standing.devices.saturating_sub(standing.ready));
    match course {
        Course::Wait { .. } if behind > 0 => {
            let message = format!("{behind} of {devices} devices have not come along.");
            reason(ReasonCode::RotationWaiting, message, now.steering.waits_since)
        }
        Course::Wait { .. } => {
            let message = "All devices have come along; every replica is given time to follow.".to_owned();
            reason(ReasonCode::RotationWaiting, message, now.steering.waits_since)
        }
        Course::Stop { since, stranded } => {
            let message = format!(
                "{stranded} of {devices} devices never said that they hold a trust bundle and might not find the server again."
            );
            reason(ReasonCode::RotationWouldStrand, message, since)
        }
        Course::ByHand | Course::Paused | Course::Advance { .. } => None,
    }
}

impl Authorities {
    /// As it is kept now: whoever asks may have changed it at another replica a moment ago.
    async fn rotation(&self) -> Result<proto::Rotation, Status> {
        let now = self.authority.rotation_now().await.map_err(refused)?;
        let RotationNow { rotation, steering, bundle_version, unsigned: _ } = &now;
        let standing = self.system.rotation_count(rotation.gate(*bundle_version)).await.map_err(status::store)?;
        let course = steering.course(rotation.phase(), standing, self.authority.now());
        let waits_until = if let Course::Wait { until } = course { clock::to_ms(until) } else { 0 };
        Ok(proto::Rotation {
            phase: phase_to_proto(rotation.phase()).into(),
            phase_since_ms: clock::to_ms(steering.phase_since),
            current_authority: rotation.current().unsigned_abs(),
            next_authority: rotation.next().unwrap_or_default().unsigned_abs(),
            trust_bundle_version: bundle_version.unsigned_abs(),
            device_count: standing.devices.unsigned_abs(),
            ready_count: standing.ready.unsigned_abs(),
            rotations_left: rotations_left(*bundle_version),
            is_automatic: steering.grace.is_some(),
            grace_ms: steering.grace.map_or(0, |grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX)),
            waits_until_ms: waits_until,
            reason: held_up(&now, course, standing).map(|HeldUp { code, message, since }| Reason {
                code: code.code().to_owned(),
                message,
                since_ms: clock::to_ms(since),
            }),
            paused_by: now.steering.pause.map(|pause| pause.by).unwrap_or_default(),
        })
    }

    async fn step(
        &self,
        caller: &Caller,
        direction: Direction,
        from: proto::RotationPhase,
        force: bool,
    ) -> Result<proto::Rotation, Status> {
        let from = phase_from_proto(from)?;
        let actor = caller.actor();
        let stepped = self.authority.step_rotation(caller.scope(), &actor, direction, from, force);
        stepped.await.map_err(refused)?;
        self.rotation().await
    }
}

#[tonic::async_trait]
impl AuthorityService for Authorities {
    async fn get_rotation(
        &self,
        _request: Request<proto::GetRotationRequest>,
    ) -> Result<Response<proto::GetRotationResponse>, Status> {
        Ok(Response::new(proto::GetRotationResponse { rotation: Some(self.rotation().await?) }))
    }

    async fn start_rotation(
        &self,
        request: Request<proto::StartRotationRequest>,
    ) -> Result<Response<proto::StartRotationResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let (grace, force) = (grace_from_proto(request.get_ref())?, request.get_ref().force);
        self.authority.start_rotation(caller.scope(), &caller.actor(), grace, force).await.map_err(refused)?;
        Ok(Response::new(proto::StartRotationResponse { rotation: Some(self.rotation().await?) }))
    }

    async fn advance_rotation(
        &self,
        request: Request<proto::AdvanceRotationRequest>,
    ) -> Result<Response<proto::AdvanceRotationResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let rotation = self.step(&caller, Direction::Forwards, request.from(), request.force).await?;
        Ok(Response::new(proto::AdvanceRotationResponse { rotation: Some(rotation) }))
    }

    async fn roll_back_rotation(
        &self,
        request: Request<proto::RollBackRotationRequest>,
    ) -> Result<Response<proto::RollBackRotationResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let rotation = self.step(&caller, Direction::Backwards, request.from(), request.force).await?;
        Ok(Response::new(proto::RollBackRotationResponse { rotation: Some(rotation) }))
    }

    async fn pause_rotation(
        &self,
        request: Request<proto::PauseRotationRequest>,
    ) -> Result<Response<proto::PauseRotationResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let reason = pause_reason(&request.get_ref().reason)?;
        self.authority.pause_rotation(caller.scope(), &caller.actor(), reason).await.map_err(refused)?;
        Ok(Response::new(proto::PauseRotationResponse { rotation: Some(self.rotation().await?) }))
    }

    async fn resume_rotation(
        &self,
        request: Request<proto::ResumeRotationRequest>,
    ) -> Result<Response<proto::ResumeRotationResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        self.authority.resume_rotation(caller.scope(), &caller.actor()).await.map_err(refused)?;
        Ok(Response::new(proto::ResumeRotationResponse { rotation: Some(self.rotation().await?) }))
    }

    async fn get_unsigned_trust_bundle(
        &self,
        _request: Request<proto::GetUnsignedTrustBundleRequest>,
    ) -> Result<Response<proto::GetUnsignedTrustBundleResponse>, Status> {
        let now = self.authority.rotation_now().await.map_err(refused)?;
        let unsigned = now.unsigned.ok_or_else(|| refused(RotationError::NothingUnsigned))?;
        let bundle = SignedTrustBundle { bundle: unsigned.bundle, signature: Vec::new() };
        Ok(Response::new(proto::GetUnsignedTrustBundleResponse { bundle: Some(bundle) }))
    }

    async fn submit_trust_bundle(
        &self,
        request: Request<proto::SubmitTrustBundleRequest>,
    ) -> Result<Response<proto::SubmitTrustBundleResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let SignedTrustBundle { bundle, signature } =
            request.into_inner().bundle.ok_or_else(|| status::invalid("bundle", "is missing"))?;
        if signature.is_empty() {
            return Err(status::invalid("bundle.signature", "is missing; sign it with `control-plane ca sign-bundle`"));
        }
        let actor = caller.actor();
        self.authority.submit_bundle(caller.scope(), &actor, bundle, signature).await.map_err(refused)?;
        Ok(Response::new(proto::SubmitTrustBundleResponse { rotation: Some(self.rotation().await?) }))
    }

    async fn list_stragglers(
        &self,
        request: Request<proto::ListStragglersRequest>,
    ) -> Result<Response<proto::ListStragglersResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let size = page::size(request.page_size, page::DEFAULT)?;
        let now = self.authority.rotation_now().await.map_err(refused)?;
        let gate = if request.backwards { now.rotation.gate_back() } else { now.rotation.gate(now.bundle_version) };
        let own = caller.scope().organization();
        let list = self.seal.list(caller.scope(), &format!("stragglers {gate:?}"));
        let after = list.position(&request.page_token)?;
        let after = after
            .map(|id| id.parse())
            .transpose()
            .map_err(|_| status::invalid("page_token", "is not one of this list"))?;
        let mut rows = self.system.straggler_list_page(gate, after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.device.to_string()));
        let stragglers = rows.into_iter().map(|row| straggler_to_proto(row, own)).collect();
        Ok(Response::new(proto::ListStragglersResponse { stragglers, next_page_token }))
    }
}

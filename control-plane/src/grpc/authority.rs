//! The authorities for devices, and the change from one to the next.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::authority::Authority;
use crate::authority::rotation::{Direction, RotationError};
use crate::clock;
use kaliun_domain::rotation::Phase;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::authority_service_server::AuthorityService;
use kaliun_store::{AppStore, StragglerRow, SystemStore};
use tonic::{Request, Response, Status};

/// Shows and changes the authorities.
pub(crate) struct Authorities {
    pub(crate) authority: Authority,
    pub(crate) store: AppStore,
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

fn refused(error: RotationError) -> Status {
    match error {
        RotationError::OtherPhase(_)
        | RotationError::NotReady(_)
        | RotationError::ChainFull
        | RotationError::NoBundleKey => Status::failed_precondition(error.to_string()),
        RotationError::Store(error) => status::store(error),
        RotationError::Authority(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the authorities could not be changed");
            Status::internal("the keys could not be used; the operator finds the cause in the log by the request id")
        }
    }
}

fn straggler_to_proto(row: StragglerRow) -> proto::Straggler {
    proto::Straggler {
        device_id: row.device.to_string(),
        device_name: row.name,
        is_online: row.online,
        link_since_ms: clock::to_ms(row.link_since),
        trust_bundle_version: row.trust_version.unsigned_abs(),
        certificate_authority: row.shown_authority.unsigned_abs(),
    }
}

impl Authorities {
    /// As it is kept now: whoever asks may have changed it at another replica a moment ago.
    async fn rotation(&self) -> Result<proto::Rotation, Status> {
        let (rotation, bundle_version) = self.authority.rotation_now().await.map_err(refused)?;
        let since = self.system.rotation_since().await.map_err(status::store)?;
        let count = self.system.rotation_count(rotation.gate(bundle_version)).await.map_err(status::store)?;
        Ok(proto::Rotation {
            phase: phase_to_proto(rotation.phase()).into(),
            phase_since_ms: clock::to_ms(since),
            current_authority: rotation.current().unsigned_abs(),
            next_authority: rotation.next().unwrap_or_default().unsigned_abs(),
            trust_bundle_version: bundle_version.unsigned_abs(),
            device_count: count.devices.unsigned_abs(),
            ready_count: count.ready.unsigned_abs(),
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
        self.authority.start_rotation(caller.scope(), &caller.actor()).await.map_err(refused)?;
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

    async fn list_stragglers(
        &self,
        request: Request<proto::ListStragglersRequest>,
    ) -> Result<Response<proto::ListStragglersResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let size = page::size(request.page_size, page::DEFAULT)?;
        let (rotation, bundle_version) = self.authority.rotation_now().await.map_err(refused)?;
        let gate = rotation.gate(bundle_version);
        let list = self.seal.list(caller.scope().organization(), &format!("stragglers {gate:?}"));
        let after = list.position(&request.page_token)?;
        let after = after
            .map(|id| id.parse())
            .transpose()
            .map_err(|_| status::invalid("page_token", "is not one of this list"))?;
        let mut rows =
            self.store.straggler_list_page(caller.scope(), gate, after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.device.to_string()));
        let stragglers = rows.into_iter().map(straggler_to_proto).collect();
        Ok(Response::new(proto::ListStragglersResponse { stragglers, next_page_token }))
    }
}

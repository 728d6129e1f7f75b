//! The certificate authorities: a rotation that goes where it is told, without any box.

use super::{Services, page};
use crate::things::NOW_MS;
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use kaliun_proto::fleet::v1::authority_service_server::AuthorityService;
use kaliun_proto::fleet::v1::*;
use kaliun_proto::telemetry::v1::Reason;
use prost::Message as _;
use tonic::{Request, Response, Status};

impl Services {
    /// Goes to the next phase or the one before.
    fn step(&self, from: RotationPhase, by: i32) -> Result<Rotation, Status> {
        let mut world = self.world();
        if let Some(refusal) = &world.step_refusal {
            return Err(refusal.clone());
        }
        if world.rotation.phase() != from {
            return Err(Status::failed_precondition("the rotation is in another phase"));
        }
        world.rotation.phase += by;
        Ok(world.rotation.clone())
    }
}

#[tonic::async_trait]
impl AuthorityService for Services {
    async fn get_rotation(
        &self,
        request: Request<GetRotationRequest>,
    ) -> Result<Response<GetRotationResponse>, Status> {
        self.enter(&request, "get_rotation").await?;
        Ok(Response::new(GetRotationResponse { rotation: Some(self.world().rotation.clone()) }))
    }

    async fn start_rotation(
        &self,
        request: Request<StartRotationRequest>,
    ) -> Result<Response<StartRotationResponse>, Status> {
        let asked = *request.get_ref();
        self.enter(&request, format!("start_rotation: automatic {}, grace {}", asked.is_automatic, asked.grace_ms))
            .await?;
        let mut world = self.world();
        world.rotation = Rotation {
            phase: RotationPhase::Trust.into(),
            phase_since_ms: NOW_MS,
            next_authority: 2,
            trust_bundle_version: 2,
            ready_count: 0,
            is_automatic: asked.is_automatic,
            grace_ms: asked.grace_ms,
            ..world.rotation.clone()
        };
        Ok(Response::new(StartRotationResponse { rotation: Some(world.rotation.clone()) }))
    }

    async fn pause_rotation(
        &self,
        request: Request<PauseRotationRequest>,
    ) -> Result<Response<PauseRotationResponse>, Status> {
        let message = request.get_ref().reason.clone();
        self.enter(&request, format!("pause_rotation: {message}")).await?;
        let mut world = self.world();
        world.rotation.reason = Some(Reason { code: "rotation.paused".to_owned(), message, since_ms: NOW_MS - 60_000 });
        world.rotation.paused_by = "ada@example.com".to_owned();
        world.rotation.waits_until_ms = 0;
        Ok(Response::new(PauseRotationResponse { rotation: Some(world.rotation.clone()) }))
    }

    async fn resume_rotation(
        &self,
        request: Request<ResumeRotationRequest>,
    ) -> Result<Response<ResumeRotationResponse>, Status> {
        self.enter(&request, "resume_rotation").await?;
        let mut world = self.world();
        let message = "1 of 3 devices have not come along.".to_owned();
        world.rotation.reason = Some(Reason { code: "rotation.waiting".to_owned(), message, since_ms: NOW_MS });
        world.rotation.paused_by = String::new();
        world.rotation.waits_until_ms = NOW_MS + 7 * 24 * 3_600_000;
        Ok(Response::new(ResumeRotationResponse { rotation: Some(world.rotation.clone()) }))
    }

    async fn advance_rotation(
        &self,
        request: Request<AdvanceRotationRequest>,
    ) -> Result<Response<AdvanceRotationResponse>, Status> {
        let asked = *request.get_ref();
        self.enter(&request, format!("advance_rotation: {:?}, force {}", asked.from(), asked.force)).await?;
        Ok(Response::new(AdvanceRotationResponse { rotation: Some(self.step(asked.from(), 1)?) }))
    }

    async fn roll_back_rotation(
        &self,
        request: Request<RollBackRotationRequest>,
    ) -> Result<Response<RollBackRotationResponse>, Status> {
        let asked = *request.get_ref();
        self.enter(&request, format!("roll_back_rotation: {:?}, force {}", asked.from(), asked.force)).await?;
        Ok(Response::new(RollBackRotationResponse { rotation: Some(self.step(asked.from(), -1)?) }))
    }

    async fn get_unsigned_trust_bundle(
        &self,
        request: Request<GetUnsignedTrustBundleRequest>,
    ) -> Result<Response<GetUnsignedTrustBundleResponse>, Status> {
        self.enter(&request, "get_unsigned_trust_bundle").await?;
        let bundle = TrustBundle { version: 2, ..TrustBundle::default() }.encode_to_vec();
        let bundle = SignedTrustBundle { bundle, signature: Vec::new() };
        Ok(Response::new(GetUnsignedTrustBundleResponse { bundle: Some(bundle) }))
    }

    async fn submit_trust_bundle(
        &self,
        request: Request<SubmitTrustBundleRequest>,
    ) -> Result<Response<SubmitTrustBundleResponse>, Status> {
        let SignedTrustBundle { bundle, signature } = request.get_ref().bundle.clone().unwrap_or_default();
        let version = TrustBundle::decode(bundle.as_slice()).unwrap().version;
        let said = format!("submit_trust_bundle: version {version}, {}", String::from_utf8_lossy(&signature));
        self.enter(&request, said).await?;
        Ok(Response::new(SubmitTrustBundleResponse { rotation: Some(self.world().rotation.clone()) }))
    }

    async fn list_stragglers(
        &self,
        request: Request<ListStragglersRequest>,
    ) -> Result<Response<ListStragglersResponse>, Status> {
        self.enter(&request, format!("list_stragglers: backwards {}", request.get_ref().backwards)).await?;
        let list = request.into_inner();
        let (stragglers, next_page_token) = page(&self.world().stragglers, list.page_size, &list.page_token)?;
        Ok(Response::new(ListStragglersResponse { stragglers, next_page_token }))
    }
}

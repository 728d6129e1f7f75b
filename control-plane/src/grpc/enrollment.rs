//! How a box without a certificate gets one.

mod admitting;
mod dialogue;
mod refusals;
mod room;
mod waiting;

#[cfg(feature = "fuzzing")]
pub(crate) use dialogue::first_half;
pub(crate) use dialogue::refused;
pub(crate) use refusals::{PERIOD as REFUSALS_PERIOD, Refusals};
pub(crate) use waiting::Waiting;

use super::status;
use crate::authority::Authority;
use crate::changes::Changes;
use crate::digest::sha256;
use crate::limiter::Limiter;
use crate::listen::PeerConnection;
use crate::listen::source::limited_as;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use dialogue::{Dialogue, Ended, STEPS_MAX, Steps, is_box_at_fault, prove, response};
use kaliun_domain::name_pattern::NameParts;
use kaliun_proto::enrollment::v1 as proto;
use kaliun_proto::enrollment::v1::enroll_response;
use kaliun_proto::enrollment::v1::enrollment_service_server::EnrollmentService;
use kaliun_proto::telemetry::v1::Facts;
use kaliun_store::{EnrollmentRow, KeyReuse, SystemStore};
use kaliun_types::claim_check::{CheckCharacters, CheckParts};
use kaliun_types::join_token::JoinTokenText;
use kaliun_types::reason::ReasonCode;
use room::Room;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Largest message, bytes: a signing request, a token, and what the box says of itself.
pub(crate) const MESSAGE_MAX_BYTES: usize = 16 * 1024;
/// Bundles that one source is told at once, and one more each interval. The whole chain may be 100 kB, and each answer waits in memory
/// until it is read.
const BUNDLES_BURST: u32 = 100;
const BUNDLES_INTERVAL: Duration = Duration::from_millis(100);

/// Enrols boxes.
pub(crate) struct Enrollments {
    inner: Arc<Inner>,
}

struct Inner {
    store: SystemStore,
    authority: Authority,
    waiting: Waiting,
    changes: Changes,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    public_url: String,
    /// None where all boxes seem to come from one place.
    by_source: Option<Limiter<IpAddr>>,
    bundles_by_source: Option<Limiter<IpAddr>>,
    room: Room,
    refusals: Refusals,
}

/// What a waiting box shows a code for. It runs out soon when the box goes away undecided. None while an operator is to decide.
type Shown = Option<EnrollmentRow>;

/// What a box showed on its way, for whoever counts and notes refusals.
#[derive(Default)]
struct Tried {
    /// SHA-256 of the key that it proved.
    key_hash: Option<[u8; 32]>,
    /// SHA-256 of the join token's secret.
    token_hash: Option<[u8; 32]>,
}

impl Enrollments {
    #[expect(clippy::too_many_arguments, reason = "the parts of the server that enrolment touches")]
    pub(crate) fn new(
        store: SystemStore,
        authority: Authority,
        waiting: Waiting,
        changes: Changes,
        metrics: Arc<Metrics>,
        tasks: Tasks,
        public_url: String,
        by_source: Option<Limiter<IpAddr>>,
        refusals: Refusals,
    ) -> Self {
        let room = Room::new(by_source.is_some());
        let bundles_by_source = by_source.is_some().then(|| Limiter::new(BUNDLES_BURST, BUNDLES_INTERVAL));
        let inner = Inner {
            store,
            authority,
            waiting,
            changes,
            metrics,
            tasks,
            public_url,
            by_source,
            bundles_by_source,
            room,
            refusals,
        };
        Self { inner: Arc::new(inner) }
    }
}

#[tonic::async_trait]
impl EnrollmentService for Enrollments {
    async fn get_trust_bundle(
        &self,
        request: Request<proto::GetTrustBundleRequest>,
    ) -> Result<Response<proto::GetTrustBundleResponse>, Status> {
        let source = request.extensions().get::<PeerConnection>().map(|connection| connection.source);
        if let (Some(limiter), Some(source)) = (&self.inner.bundles_by_source, source) {
            limiter
                .take(&limited_as(source), Instant::now())
                .map_err(|wait| status::refusal_retry_after(ReasonCode::EnrollmentBusy, wait))?;
        }
        let bundles = self.inner.authority.current().bundles_from(request.into_inner().from_version);
        Ok(Response::new(proto::GetTrustBundleResponse { bundles }))
    }

    type EnrollStream = ReceiverStream<Result<proto::EnrollResponse, Status>>;

    async fn enroll(
        &self,
        request: Request<Streaming<proto::EnrollRequest>>,
    ) -> Result<Response<Self::EnrollStream>, Status> {
        let source = request
            .extensions()
            .get::<PeerConnection>()
            .map(|connection| connection.source)
            .ok_or_else(|| Status::internal("the connection is not known"))?;
        if let Some(by_source) = &self.inner.by_source {
            by_source.take(&limited_as(source), Instant::now()).map_err(|wait| {
                self.inner.refusals.count(source, None, ReasonCode::EnrollmentBusy);
                status::refusal_retry_after(ReasonCode::EnrollmentBusy, wait)
            })?;
        }
        let (steps, answers) = mpsc::channel(STEPS_MAX);
        let inner = Arc::clone(&self.inner);
        let inbound = request.into_inner();
        self.inner.tasks.spawn("enrollment", async move { inner.run(source, inbound, steps).await });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

impl Inner {
    async fn run(&self, source: IpAddr, mut inbound: Streaming<proto::EnrollRequest>, steps: Steps) {
        let stopping = self.tasks.stopping();
        let (mut shown, mut tried) = (None, Tried::default());
        let outcome = tokio::select! {
            outcome = self.enroll(source, &mut inbound, &steps, &mut shown, &mut tried) => outcome,
            () = steps.closed() => {
                if shown.is_some() {
                    self.refusals.count(source, None, ReasonCode::EnrollmentCodeExpired);
                }
                self.let_run_out(shown).await;
                return;
            }
            () = stopping.cancelled() => Err(Ended::Broken(status::refusal(ReasonCode::LinkServerStopped))),
        };
        match outcome {
            Ok(()) => {}
            Err(Ended::Refused(reason)) => {
                self.metrics.refuse(reason);
                tracing::info!(%source, reason = reason.code(), "enrolment refused");
                self.note_refusal(source, reason, &tried).await;
                let _box_gone = steps.send(Ok(response(enroll_response::Step::Refused(refused(reason))))).await;
            }
            Err(Ended::Later(wait)) => {
                let busy = refused(ReasonCode::EnrollmentBusy);
                let retry_after_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                let later = enroll_response::Refused { retry_after_ms, ..busy };
                let _box_gone = steps.send(Ok(response(enroll_response::Step::Refused(later)))).await;
            }
            Err(Ended::Broken(status)) => {
                if is_box_at_fault(&status) {
                    self.refusals.count(source, None, ReasonCode::EnrollmentRequestInvalid);
                }
                let _box_gone = steps.send(Err(status)).await;
            }
        }
    }

    /// Counts a refusal, by source and, where a real join token was shown, for whose token it was. A key that asks for a second
    /// identity by another organization's token is noted on the device that it belongs to. Without a token it is most often the box
    /// itself, which forgot who it is: it proved its key, is given nothing, and comes back by it.
    async fn note_refusal(&self, source: IpAddr, reason: ReasonCode, tried: &Tried) {
        // Most floods show tokens that nobody has: those are not looked up.
        let token_hash = tried.token_hash.filter(|_| reason != ReasonCode::EnrollmentTokenInvalid);
        let organization = match token_hash {
            Some(hash) => self.store.join_token_organization(&hash).await.unwrap_or_else(|error| {
                tracing::debug!(error = &error as &dyn std::error::Error, "whose token it was is not known");
                None
            }),
            None => None,
        };
        self.refusals.count(source, organization, reason);
        let reused = tried.key_hash.filter(|_| reason == ReasonCode::EnrollmentKeyInUse && token_hash.is_some());
        let Some(key_hash) = reused else { return };
        let reuse = KeyReuse { key_hash: key_hash.to_vec(), device: None, source: source.to_string(), count: 1 };
        if let Err(error) = self.store.key_reuses_note(&[reuse]).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a key under two identities could not be noted");
        }
    }

    /// Lets a code run out that its box does not show any more.
    async fn let_run_out(&self, shown: Shown) {
        let Some(waited) = shown else { return };
        if let Err(error) = self.store.enrollment_let_run_out(&waited).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "code stays for its whole time");
        }
    }

    async fn enroll(
        &self,
        source: IpAddr,
        inbound: &mut Streaming<proto::EnrollRequest>,
        steps: &Steps,
        shown: &mut Shown,
        tried: &mut Tried,
    ) -> Result<(), Ended> {
        let proved = prove(inbound, steps).await?;
        tried.key_hash = Some(proved.request.key_hash);
        let secret_hash = if proved.join_token.is_empty() {
            None
        } else {
            let token = JoinTokenText::parse(&proved.join_token);
            let token = token.map_err(|_| Ended::Refused(ReasonCode::EnrollmentTokenInvalid))?;
            Some(sha256(token.secret().expose().as_bytes()))
        };
        tried.token_hash = secret_hash;
        let mut dialogue = Dialogue { inbound, steps, has_revealed: false };
        let (credentials, grant, enrolled) =
            self.admit(source, &proved, secret_hash.as_ref(), &mut dialogue, shown).await?;
        self.issue(&credentials, &proved.request, enrolled, &grant, steps).await
    }
}

/// What a box's name can be made of.
pub(crate) fn name_parts<'a>(facts: &'a Facts, key_hash: &'a [u8]) -> NameParts<'a> {
    NameParts { hostname: &facts.hostname, model: &facts.model, serial: &facts.serial, key_hash }
}

/// The check characters that a box shows now; none while nobody has entered its code, or the box has not answered.
pub(crate) fn check_characters(row: &EnrollmentRow, trust_hash: &[u8; 32], code: &str) -> Option<CheckCharacters> {
    let key_hash = <&[u8; 32]>::try_from(row.key_hash.as_slice()).ok()?;
    let (server_nonce, box_nonce) = (row.check_nonce.as_ref()?, row.check_bytes.as_ref()?);
    let parts = CheckParts { key_hash, trust_hash, server_nonce, box_nonce, code };
    Some(CheckCharacters::from_hash(&sha256(&parts.message())))
}

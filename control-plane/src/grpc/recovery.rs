//! How a box whose certificate is of no use any more gets a new one.

use super::enrollment::{Refusals, refused};
use super::status;
use crate::authority::{Authority, CheckedRequest};
use crate::changes::Changes;
use crate::digest::random;
use crate::limiter::Limiter;
use crate::listen::PeerConnection;
use crate::listen::source::limited_as;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use kaliun_proto::enrollment::v1::enroll_response::{Challenge, Issued};
use kaliun_proto::enrollment::v1::recover_response::Step;
use kaliun_proto::enrollment::v1::recovery_service_server::RecoveryService;
use kaliun_proto::enrollment::v1::{RecoverRequest, RecoverResponse, recover_request};
use kaliun_store::SystemStore;
use kaliun_types::reason::ReasonCode;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Longest wait for a box's next message.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest signing request that is looked at, bytes.
const REQUEST_MAX_BYTES: usize = 4 * 1024;
/// Steps that wait for a box to read them: the dialogue has two.
const STEPS_MAX: usize = 2;

/// Recovers boxes.
pub(crate) struct Recoveries {
    pub(crate) inner: Arc<Inner>,
}

/// What a recovery needs.
pub(crate) struct Inner {
    pub(crate) store: SystemStore,
    pub(crate) authority: Authority,
    pub(crate) changes: Changes,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) tasks: Tasks,
    /// None where all boxes seem to come from one place.
    pub(crate) by_source: Option<Limiter<IpAddr>>,
    pub(crate) refusals: Refusals,
}

type Steps = mpsc::Sender<Result<RecoverResponse, Status>>;

/// Why a box got no certificate.
enum Ended {
    /// The box is told.
    Refused(ReasonCode),
    /// The box went away, or broke the dialogue.
    Broken(Status),
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::Broken(status)
    }
}

#[tonic::async_trait]
impl RecoveryService for Recoveries {
    type RecoverStream = ReceiverStream<Result<RecoverResponse, Status>>;

    async fn recover(
        &self,
        request: Request<Streaming<RecoverRequest>>,
    ) -> Result<Response<Self::RecoverStream>, Status> {
        let connection = request.extensions().get::<PeerConnection>().cloned();
        let connection = connection.ok_or_else(|| Status::internal("the connection is not known"))?;
        if let Some(by_source) = &self.inner.by_source {
            let taken = by_source.take(&limited_as(connection.source), Instant::now());
            taken.map_err(|wait| {
                self.inner.refusals.count(connection.source, None, ReasonCode::EnrollmentBusy);
                status::refusal_retry_after(ReasonCode::EnrollmentBusy, wait)
            })?;
        }
        let (steps, answers) = mpsc::channel(STEPS_MAX);
        let inner = Arc::clone(&self.inner);
        let mut inbound = request.into_inner();
        self.inner.tasks.spawn("recovery", async move {
            let stopping = inner.tasks.stopping();
            let outcome = tokio::select! {
                outcome = inner.recover(&connection, &mut inbound, &steps) => outcome,
                () = steps.closed() => return,
                () = stopping.cancelled() => Err(Ended::Broken(status::refusal(ReasonCode::LinkServerStopped))),
            };
            let last = match outcome {
                Ok(issued) => Ok(response(Step::Issued(issued))),
                Err(Ended::Refused(reason)) => {
                    inner.metrics.refuse(reason);
                    inner.refusals.count(connection.source, None, reason);
                    tracing::info!(source = %connection.source, reason = reason.code(), "recovery refused");
                    Ok(response(Step::Refused(refused(reason))))
                }
                Err(Ended::Broken(status)) => Err(status),
            };
            let _box_gone = steps.send(last).await;
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

fn response(step: Step) -> RecoverResponse {
    RecoverResponse { step: Some(step) }
}

async fn hear(inbound: &mut Streaming<RecoverRequest>) -> Result<recover_request::Step, Ended> {
    let message = tokio::time::timeout(ANSWER_TIMEOUT, inbound.message())
        .await
        .map_err(|_elapsed| Status::deadline_exceeded("the next step did not come within 15 s"))??;
    Ok(message
        .and_then(|message| message.step)
        .ok_or_else(|| Status::invalid_argument("step: expected begin, then proof"))?)
}

impl Inner {
    async fn recover(
        &self,
        connection: &PeerConnection,
        inbound: &mut Streaming<RecoverRequest>,
        steps: &Steps,
    ) -> Result<Issued, Ended> {
        // Only strangers' connections have one: who has a good certificate renews it over the link.
        let exporter = connection.exporter.as_deref().ok_or(Ended::Refused(ReasonCode::EnrollmentRequestInvalid))?;
        let request = prove(exporter, inbound, steps).await?;
        let (credentials, now) = (self.authority.current(), self.authority.now());
        let grant = credentials.grant(now);
        let recovered = self.store.certificate_recover(&request.key_hash, grant, now);
        let device = recovered.await.map_err(status::store)?.map_err(Ended::Refused)?;
        let chain =
            credentials.issue_device(&request, device.device, device.organization, &grant).map_err(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "certificate could not be issued");
                Status::internal("the certificate could not be made; the box tries again")
            })?;
        self.changes.tell(device.organization, device.device);
        self.metrics.certificates_recovered.inc();
        tracing::info!(device.id = %device.device, "device recovered");
        Ok(Issued {
            device_id: device.device.to_string(),
            certificate_chain: chain.into_iter().map(|certificate| certificate.to_vec()).collect(),
            device_name: device.name,
        })
    }
}

/// The first half of the dialogue: whose key it is, and that the box on this connection holds it now.
async fn prove(
    exporter: &[u8; 32],
    inbound: &mut Streaming<RecoverRequest>,
    steps: &Steps,
) -> Result<CheckedRequest, Ended> {
    let recover_request::Step::Begin(begin) = hear(inbound).await? else {
        return Err(Status::invalid_argument("step: expected begin first").into());
    };
    let request = Some(begin.certificate_request).filter(|der| der.len() <= REQUEST_MAX_BYTES);
    let request = request.and_then(|der| CheckedRequest::parse(&der));
    let request = request.ok_or(Ended::Refused(ReasonCode::EnrollmentRequestInvalid))?;
    let nonce = random::<32>();
    let challenge = response(Step::Challenge(Challenge { nonce: nonce.to_vec() }));
    steps.send(Ok(challenge)).await.map_err(|_gone| Status::cancelled("the box went away"))?;
    let recover_request::Step::Proof(proof) = hear(inbound).await? else {
        return Err(Status::invalid_argument("step: expected proof after challenge").into());
    };
    if !request.proves_recovery(&nonce, exporter, &proof.signature) {
        return Err(Ended::Refused(ReasonCode::EnrollmentProofInvalid));
    }
    Ok(request)
}

/// The same over the bytes of a request's body: whether the sender proved a key, and what it was told. For fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) async fn first_half(exporter: &[u8; 32], body: bytes::Bytes) -> (bool, Vec<Step>) {
    let decoder = tonic_prost::ProstCodec::<RecoverResponse, _>::raw_decoder(Default::default());
    let body = http_body_util::Full::new(body);
    let mut inbound = Streaming::new_request(decoder, body, None, Some(super::enrollment::MESSAGE_MAX_BYTES));
    let (steps, mut answers) = mpsc::channel(STEPS_MAX);
    let is_proved = prove(exporter, &mut inbound, &steps).await.is_ok();
    let mut said = Vec::new();
    while let Ok(Ok(answer)) = answers.try_recv() {
        said.extend(answer.step);
    }
    (is_proved, said)
}

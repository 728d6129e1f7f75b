//! How a box without a certificate gets one.

mod refusals;
mod room;
mod waiting;

use super::convert::link::check_facts;
use super::status;
use crate::authority::{Authority, CheckedRequest, Credentials};
use crate::changes::Changes;
use crate::clock;
use crate::digest::{random, sha256};
use crate::limiter::Limiter;
use crate::listen::PeerConnection;
use crate::listen::source::limited_as;
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use kaliun_domain::claim_code::ClaimCode;
use kaliun_domain::enrollment::{CODE_LIFETIME, EnrollmentState};
use kaliun_domain::name_pattern::NameParts;
use kaliun_proto::enrollment::v1 as proto;
use kaliun_proto::enrollment::v1::enrollment_service_server::EnrollmentService;
use kaliun_proto::enrollment::v1::{enroll_request, enroll_response};
use kaliun_proto::telemetry::v1::Facts;
use kaliun_store::{
    ByToken, CertificateGrant, Enrolled, EnrollmentRow, KeyReuse, NewClaim, NewDevice, StoreError, SystemStore,
};
use kaliun_types::claim_check::{CheckCharacters, CheckParts, NONCE_BYTES};
use kaliun_types::id::EnrollmentId;
use kaliun_types::join_token::JoinTokenText;
use kaliun_types::reason::ReasonCode;
use prost::Message;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};

/// Longest wait for a box's next message.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest signing request and token that are looked at, bytes.
const REQUEST_MAX_BYTES: usize = 4 * 1024;
const TOKEN_MAX_BYTES: usize = 256;
/// Largest message, bytes: a signing request, a token, and what the box says of itself.
pub(crate) const MESSAGE_MAX_BYTES: usize = 16 * 1024;
/// A box that waits for an operator and finds no room for a stream asks again after this long.
const WITHOUT_A_STREAM: Duration = Duration::from_secs(300);
/// Tries to find a claim code that nobody has. Two of 22^8 hardly ever meet.
const CODE_TRIES: usize = 4;
/// Bundles that one source is told at once, and one more each interval. The whole chain may be 100 kB, and each answer waits in memory
/// until it is read.
const BUNDLES_BURST: u32 = 100;
const BUNDLES_INTERVAL: Duration = Duration::from_millis(100);
/// Steps that wait for a box to read them: the dialogue has four.
const STEPS_MAX: usize = 4;
/// A box that waits is told again what it waits for this often: it takes a stream on which nothing comes for five minutes for dead.
const PENDING_AGAIN: Duration = Duration::from_secs(60);

pub(crate) use refusals::{PERIOD as REFUSALS_PERIOD, Refusals};
use room::Room;
use waiting::Decisions;
pub(crate) use waiting::Waiting;

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

type Steps = mpsc::Sender<Result<proto::EnrollResponse, Status>>;

/// Why an enrolment ended without a certificate.
enum Ended {
    /// The box is told.
    Refused(ReasonCode),
    /// It waits for somebody's yes without a stream, and asks again after this long.
    Later(Duration),
    /// The box went away, or broke the dialogue.
    Broken(Status),
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self::Broken(status)
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        // The same key came twice at once, or its row was cleaned up in between: the box comes again.
        if matches!(error, StoreError::AlreadyExists { .. } | StoreError::Stale { .. }) {
            Self::Refused(ReasonCode::EnrollmentBusy)
        } else {
            Self::Broken(status::store(error))
        }
    }
}

/// A box that proved its key.
struct Proved {
    request: CheckedRequest,
    join_token: String,
    facts: Facts,
    /// SHA-256 of the bytes that it keeps to itself until somebody has entered its code.
    check_commitment: [u8; NONCE_BYTES],
}

/// A box's stream, from its proof on.
struct Dialogue<'a> {
    inbound: &'a mut Streaming<proto::EnrollRequest>,
    steps: &'a Steps,
    /// Whether the box was told a nonce. Its commitment is used up then.
    has_revealed: bool,
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

fn response(step: enroll_response::Step) -> proto::EnrollResponse {
    proto::EnrollResponse { step: Some(step) }
}

async fn say(steps: &Steps, step: enroll_response::Step) -> Result<(), Ended> {
    steps.send(Ok(response(step))).await.map_err(|_gone| Ended::Broken(Status::cancelled("the box went away")))
}

async fn hear(inbound: &mut Streaming<proto::EnrollRequest>) -> Result<enroll_request::Step, Ended> {
    let message = tokio::time::timeout(ANSWER_TIMEOUT, inbound.message())
        .await
        .map_err(|_elapsed| Status::deadline_exceeded("the next step did not come within 15 s"))??;
    Ok(message
        .and_then(|message| message.step)
        .ok_or_else(|| Status::invalid_argument("step: expected begin, then proof, and reveal when it is asked for"))?)
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

    /// Answers once the box may have its certificate, with the credentials that count then and what they grant: a box may wait for its
    /// yes while authorities change.
    async fn admit(
        &self,
        source: IpAddr,
        proved: &Proved,
        secret_hash: Option<&[u8; 32]>,
        dialogue: &mut Dialogue<'_>,
        shown: &mut Shown,
    ) -> Result<(Arc<Credentials>, CertificateGrant, Enrolled), Ended> {
        let facts = proved.facts.encode_to_vec();
        let facts_hash = sha256(&facts);
        let mut decisions = self.waiting.listen();
        let mut place = None;
        loop {
            // Nothing is written for a box that waits by code before it has a place.
            if place.is_none() && secret_hash.is_none() {
                place = self.room.by_code(source);
                if place.is_none() {
                    // Whoever was told yes does not wait, however many others do.
                    let approved = self.store.enrollment_approved(&proved.request.key_hash).await?;
                    return self.collect(approved.ok_or(Ended::Refused(ReasonCode::EnrollmentBusy))?).await;
                }
            }
            let (credentials, now) = (self.authority.current(), self.authority.now());
            let new = NewDevice {
                parts: name_parts(&proved.facts, &proved.request.key_hash),
                facts: &facts,
                facts_hash: &facts_hash,
                certificate: credentials.grant(now),
            };
            let row = match secret_hash {
                None => self.show_code(source, &new, &proved.check_commitment).await?,
                Some(secret_hash) => {
                    let admitted = self.store.enroll_by_token(secret_hash, &new, &source.to_string(), now).await?;
                    match admitted.map_err(Ended::Refused)? {
                        ByToken::Enrolled(enrolled) => return Ok((credentials, new.certificate, enrolled)),
                        ByToken::Waits(row) => row,
                    }
                }
            };
            if place.is_none()
                && row.state != EnrollmentState::Approved
                && let Some(secret_hash) = secret_hash
            {
                let taken = self.room.by_token(source, *secret_hash, proved.request.key_hash);
                // It waits without a stream, too: its row is there.
                place = Some(taken.ok_or(Ended::Later(WITHOUT_A_STREAM))?);
            }
            let waited = self.wait_for_yes(row, &proved.check_commitment, &mut decisions, dialogue, shown).await?;
            if let Some(approved) = waited {
                return self.collect(approved).await;
            }
            // Its commitment is used up, so the next code takes another stream.
            if dialogue.has_revealed {
                return Err(Ended::Refused(ReasonCode::EnrollmentCodeExpired));
            }
            if secret_hash.is_none() {
                self.refusals.count(source, None, ReasonCode::EnrollmentCodeExpired);
            }
        }
    }

    /// Gives a box that was told yes what it waited for.
    async fn collect(&self, approved: EnrollmentId) -> Result<(Arc<Credentials>, CertificateGrant, Enrolled), Ended> {
        let (credentials, now) = (self.authority.current(), self.authority.now());
        let grant = credentials.grant(now);
        let enrolled = self.store.enrollment_collect(approved, grant, now).await?;
        Ok((credentials, grant, enrolled.map_err(Ended::Refused)?))
    }

    async fn issue(
        &self,
        credentials: &Credentials,
        request: &CheckedRequest,
        enrolled: Enrolled,
        grant: &CertificateGrant,
        steps: &Steps,
    ) -> Result<(), Ended> {
        let (device, organization) = (enrolled.device, enrolled.organization);
        let chain = credentials.issue_device(request, device, organization, grant).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "certificate could not be issued");
            Status::internal("the certificate could not be made; the box tries again")
        })?;
        self.metrics.enrolled.inc();
        self.changes.tell(enrolled.organization, enrolled.device);
        tracing::info!(device.id = %enrolled.device, device.is_new = enrolled.is_new, "certificate issued");
        say(
            steps,
            enroll_response::Step::Issued(enroll_response::Issued {
                device_id: enrolled.device.to_string(),
                certificate_chain: chain.into_iter().map(|certificate| certificate.to_vec()).collect(),
                device_name: enrolled.name,
            }),
        )
        .await
    }

    /// Tells the box what it waits for, and its nonce for check characters once somebody has entered its code, until somebody has
    /// decided. `None` when it has waited for as long as it may, and begins again.
    async fn wait_for_yes(
        &self,
        mut row: EnrollmentRow,
        commitment: &[u8; NONCE_BYTES],
        decisions: &mut Decisions,
        dialogue: &mut Dialogue<'_>,
        shown: &mut Shown,
    ) -> Result<Option<EnrollmentId>, Ended> {
        let mut waiter = decisions.wait_as(row.id);
        // Of this stream, whatever begins to wait as the same box meanwhile.
        let begun_count = row.begun_count;
        let mut ends_at = Instant::now() + row.expires_in;
        loop {
            match row.state {
                EnrollmentState::Pending => {}
                EnrollmentState::Denied => return Err(Ended::Refused(ReasonCode::EnrollmentDenied)),
                EnrollmentState::CheckFailed => return Err(Ended::Refused(ReasonCode::EnrollmentCheckFailed)),
                EnrollmentState::Approved => return Ok(Some(row.id)),
            }
            if row.check_nonce.is_some() {
                waiter.told();
            }
            // The nonce is for the stream whose commitment came before it.
            if row.begun_count != begun_count {
                row.check_nonce = None;
            }
            say(dialogue.steps, self.pending(&row)).await?;
            *shown = row.claim_code.is_some().then(|| EnrollmentRow { begun_count, ..row.clone() });
            if row.check_nonce.is_some() && !dialogue.has_revealed {
                dialogue.has_revealed = true;
                let bytes = reveal(dialogue.inbound, commitment).await?;
                // Where that does not count any more, the box is told so by what comes next.
                self.store.enrollment_reveal(row.id, begun_count, &bytes).await?;
            }
            let left = ends_at.saturating_duration_since(Instant::now());
            let is_over = left <= PENDING_AGAIN;
            match tokio::time::timeout(left.min(PENDING_AGAIN), waiter.decided()).await {
                Err(_elapsed) if is_over => return Ok(None),
                Ok(()) | Err(_) => {}
            }
            row = match self.store.enrollment_get(row.id).await {
                Ok(Some(row)) => {
                    ends_at = Instant::now() + row.expires_in;
                    row
                }
                // Somebody cleaned up: begin again.
                Ok(None) => return Ok(None),
                // The decision stands; whoever looks for all of them tells of it again.
                Err(error) if error.is_transient() => row,
                Err(error) => return Err(error.into()),
            };
        }
    }

    async fn show_code(
        &self,
        source: IpAddr,
        new: &NewDevice<'_>,
        commitment: &[u8; NONCE_BYTES],
    ) -> Result<EnrollmentRow, Ended> {
        for _ in 0..CODE_TRIES {
            let Some(code) = ClaimCode::from_random(&random::<32>()) else { continue };
            let claim = NewClaim {
                code: code.as_str(),
                lifetime: CODE_LIFETIME,
                source_address: &source.to_string(),
                commitment,
                nonce: &random(),
            };
            match self.store.enrollment_wait(new, &claim, self.authority.now()).await {
                Ok(Ok(row)) => return Ok(row),
                Ok(Err(reason)) => return Err(Ended::Refused(reason)),
                Err(StoreError::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Ended::Refused(ReasonCode::EnrollmentBusy))
    }

    fn pending(&self, row: &EnrollmentRow) -> enroll_response::Step {
        let claim_code = row.claim_code.clone().unwrap_or_default();
        let claim_url =
            if claim_code.is_empty() { String::new() } else { format!("{}/claim?code={claim_code}", self.public_url) };
        enroll_response::Step::Pending(enroll_response::Pending {
            claim_code,
            claim_url,
            expires_at_ms: clock::to_ms(row.code_expires_at),
            check_nonce: row.check_nonce.map(|nonce| nonce.to_vec()).unwrap_or_default(),
        })
    }
}

/// Whether a dialogue broke by what the box said, or by its silence.
fn is_box_at_fault(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::DeadlineExceeded)
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

/// What the box had committed itself to.
async fn reveal(
    inbound: &mut Streaming<proto::EnrollRequest>,
    commitment: &[u8; NONCE_BYTES],
) -> Result<[u8; NONCE_BYTES], Ended> {
    let enroll_request::Step::Reveal(reveal) = hear(inbound).await? else {
        return Err(Status::invalid_argument("step: expected reveal after pending with a check_nonce").into());
    };
    let bytes = <[u8; NONCE_BYTES]>::try_from(reveal.check_bytes.as_slice()).ok();
    // No secret is compared: the commitment was sent in the clear, and so are the bytes.
    bytes.filter(|bytes| sha256(bytes) == *commitment).ok_or(Ended::Refused(ReasonCode::EnrollmentProofInvalid))
}

/// The first half of the dialogue: who it is, and that it holds the key now.
async fn prove(inbound: &mut Streaming<proto::EnrollRequest>, steps: &Steps) -> Result<Proved, Ended> {
    let enroll_request::Step::Begin(begin) = hear(inbound).await? else {
        return Err(Status::invalid_argument("step: expected begin first").into());
    };
    if begin.certificate_request.len() > REQUEST_MAX_BYTES || begin.join_token.len() > TOKEN_MAX_BYTES {
        return Err(Ended::Refused(ReasonCode::EnrollmentRequestInvalid));
    }
    let request = CheckedRequest::parse(&begin.certificate_request)
        .ok_or(Ended::Refused(ReasonCode::EnrollmentRequestInvalid))?;
    let facts = begin.facts.unwrap_or_default();
    check_facts(&facts).map_err(|error| status::invalid("facts", error))?;
    let nonce = random::<32>();
    say(steps, enroll_response::Step::Challenge(enroll_response::Challenge { nonce: nonce.to_vec() })).await?;
    let enroll_request::Step::Proof(proof) = hear(inbound).await? else {
        return Err(Status::invalid_argument("step: expected proof after challenge").into());
    };
    if !request.proves(&nonce, &proof.signature) {
        return Err(Ended::Refused(ReasonCode::EnrollmentProofInvalid));
    }
    let check_commitment = <[u8; NONCE_BYTES]>::try_from(proof.check_commitment.as_slice())
        .map_err(|_| Ended::Refused(ReasonCode::EnrollmentRequestInvalid))?;
    Ok(Proved { request, join_token: begin.join_token, facts, check_commitment })
}

/// What a refused box is told.
#[expect(clippy::wildcard_enum_match_arm, reason = "a refusal that time does not heal is not repeated")]
pub(super) fn refused(reason: ReasonCode) -> enroll_response::Refused {
    let (retryable, retry_after) = match reason {
        ReasonCode::EnrollmentBusy | ReasonCode::EnrollmentCheckFailed | ReasonCode::EnrollmentCodeExpired => {
            (true, Duration::from_secs(5))
        }
        ReasonCode::EnrollmentProofInvalid => (true, Duration::from_secs(60)),
        _ => (false, Duration::ZERO),
    };
    enroll_response::Refused {
        reason: reason.code().to_owned(),
        message: reason.next_step().to_owned(),
        retryable,
        retry_after_ms: u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX),
    }
}

/// The first half of the dialogue over the bytes of a request's body: whether the sender proved a key, and what it was told. For
/// fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) async fn first_half(body: bytes::Bytes) -> (bool, Vec<enroll_response::Step>) {
    let decoder = tonic_prost::ProstCodec::<proto::EnrollResponse, _>::raw_decoder(Default::default());
    let body = http_body_util::Full::new(body);
    let mut inbound = Streaming::new_request(decoder, body, None, Some(MESSAGE_MAX_BYTES));
    let (steps, mut answers) = mpsc::channel(STEPS_MAX);
    let is_proved = prove(&mut inbound, &steps).await.is_ok();
    let mut said = Vec::new();
    while let Ok(Ok(answer)) = answers.try_recv() {
        said.extend(answer.step);
    }
    (is_proved, said)
}

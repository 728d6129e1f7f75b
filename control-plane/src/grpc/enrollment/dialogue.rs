//! What box and server say to each other until the box may have its certificate, and how that ends.

use super::super::convert::link::check_facts;
use super::super::status;
use crate::authority::CheckedRequest;
use crate::digest::{random, sha256};
use kaliun_proto::enrollment::v1 as proto;
use kaliun_proto::enrollment::v1::{enroll_request, enroll_response};
use kaliun_proto::telemetry::v1::Facts;
use kaliun_store::StoreError;
use kaliun_types::claim_check::NONCE_BYTES;
use kaliun_types::reason::ReasonCode;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

/// Longest wait for a box's next message.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest signing request and token that are looked at, bytes.
const REQUEST_MAX_BYTES: usize = 4 * 1024;
const TOKEN_MAX_BYTES: usize = 256;
/// Steps that wait for a box to read them: the dialogue has four.
pub(super) const STEPS_MAX: usize = 4;

pub(super) type Steps = mpsc::Sender<Result<proto::EnrollResponse, Status>>;

/// Why an enrolment ended without a certificate.
pub(super) enum Ended {
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
pub(super) struct Proved {
    pub(super) request: CheckedRequest,
    pub(super) join_token: String,
    pub(super) facts: Facts,
    /// SHA-256 of the bytes that it keeps to itself until somebody has entered its code.
    pub(super) check_commitment: [u8; NONCE_BYTES],
}

/// A box's stream, from its proof on.
pub(super) struct Dialogue<'a> {
    pub(super) inbound: &'a mut Streaming<proto::EnrollRequest>,
    pub(super) steps: &'a Steps,
    /// Whether the box was told a nonce. Its commitment is used up then.
    pub(super) has_revealed: bool,
}

pub(super) fn response(step: enroll_response::Step) -> proto::EnrollResponse {
    proto::EnrollResponse { step: Some(step) }
}

pub(super) async fn say(steps: &Steps, step: enroll_response::Step) -> Result<(), Ended> {
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

/// Whether a dialogue broke by what the box said, or by its silence.
pub(super) fn is_box_at_fault(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::DeadlineExceeded)
}

/// What the box had committed itself to.
pub(super) async fn reveal(
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
pub(super) async fn prove(inbound: &mut Streaming<proto::EnrollRequest>, steps: &Steps) -> Result<Proved, Ended> {
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
pub(crate) fn refused(reason: ReasonCode) -> enroll_response::Refused {
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
    let mut inbound = Streaming::new_request(decoder, body, None, Some(super::MESSAGE_MAX_BYTES));
    let (steps, mut answers) = mpsc::channel(STEPS_MAX);
    let is_proved = prove(&mut inbound, &steps).await.is_ok();
    let mut said = Vec::new();
    while let Ok(Ok(answer)) = answers.try_recv() {
        said.extend(answer.step);
    }
    (is_proved, said)
}

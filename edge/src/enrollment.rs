//! How the box gets to know its server and is given a certificate.
//!
//! The only call over an unverified connection is `GetTrustBundle`; what comes is checked against the hash the box was
//! given. Everything else goes over a verified one.

mod learning;
mod retry;

pub use learning::TrustError;
pub(crate) use retry::is_about_token;
pub use retry::{EnrollmentDecision, decide};

use crate::clock::Clock;
use crate::connection::{Connection, DialError};
use crate::dialer::{Dialer, TlsSetupError};
use crate::identity::{DeviceRecord, IdentityError, IdentityKey, InvalidDeviceRecord, sha256};
use crate::refusal::Refusal;
use crate::server_address::ServerAddress;
use crate::shown::Shown;
use crate::trust::TrustChain;
use kaliun_proto::enrollment::v1::enroll_request::{Begin, Proof, Reveal, Step as Request};
use kaliun_proto::enrollment::v1::enroll_response::{Issued, Pending, Refused, Step as Response};
use kaliun_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::enrollment::v1::{EnrollRequest, EnrollResponse};
use kaliun_proto::telemetry::v1::Facts;
use kaliun_types::claim_check::{self, CheckCharacters, CheckParts};
use kaliun_types::secret::SecretText;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

const SIGNATURE_DOMAIN: &[u8] = b"kaliun enrollment v1\0";
/// Bytes of a challenge.
pub(crate) const NONCE_BYTES: usize = 32;
/// Requests on an enrolment stream: Begin, Proof and Reveal are all there are.
const REQUESTS_MAX: usize = 3;
/// Longest wait for an answer that needs no person.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A stream that waits for a person is begun again after this time: the connection under it may be dead without a word,
/// and a new one gets the same pending enrolment or its certificate.
const PENDING_TIMEOUT: Duration = Duration::from_secs(300);
/// Largest answer, bytes: a trust chain of 128 bundles, the most there are, has less than 200 kB with two authorities in each.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// Enrolment did not come to its end this time.
#[derive(Debug, Error)]
pub enum EnrollmentError {
    /// The connection did not come about.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// No trust bundles were learned.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The key could not be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificate that came is not for this box.
    #[error("the control plane sent a certificate that does not fit")]
    Certificate(#[from] InvalidDeviceRecord),
    /// The server said no.
    #[error("{reason}: {message}")]
    Refused {
        /// The reason code.
        reason: String,
        /// What to do.
        message: String,
        /// Whether the box may try again by itself, and after how long.
        retry_after: Option<Duration>,
    },
    /// A call to a server that the box has verified ended with a status.
    #[error("the enrolment call ended: {0}")]
    Call(Refusal),
    /// The server broke the protocol.
    #[error("the control plane did not keep to the enrolment protocol: {0}")]
    Protocol(&'static str),
    /// The server said nothing.
    #[error("the control plane did not answer in time")]
    TimedOut,
}

impl EnrollmentError {
    /// Whether newer trust bundles may help: the server is not one that the box believes, or what the box holds verifies none.
    #[must_use]
    pub(crate) fn asks_for_trust(&self) -> bool {
        match self {
            Self::Dial(error) => error.is_untrusted_server(),
            Self::Tls(error) => matches!(error, TlsSetupError::Authorities),
            Self::Trust(_)
            | Self::Identity(_)
            | Self::Certificate(_)
            | Self::Refused { .. }
            | Self::Call(_)
            | Self::Protocol(_)
            | Self::TimedOut => false,
        }
    }

    /// One sentence for a person, without the reason code that is shown beside it.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Refused { message, .. } => message.clone(),
            Self::Call(refusal) => refusal.message.clone(),
            Self::Dial(error) | Self::Trust(TrustError::Dial(error)) => error.sentence(),
            Self::Tls(_)
            | Self::Trust(_)
            | Self::Identity(_)
            | Self::Certificate(_)
            | Self::Protocol(_)
            | Self::TimedOut => {
                // What a library quotes of the other end may be long.
                let sentence = crate::link::transport::with_sources(self);
                crate::facts::clip(&sentence, kaliun_types::limits::REASON_MESSAGE_MAX_BYTES).to_owned()
            }
        }
    }
}

/// What a box shows while somebody has to say yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingEnrollment {
    /// Eight characters to enter; empty when an operator has to approve.
    pub claim_code: Shown,
    /// The page to open; empty without a code.
    pub claim_url: Shown,
    /// When the code ends. Milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
    /// What whoever entered the code has to type; `None` until somebody has entered it.
    pub check: Option<CheckCharacters>,
}

/// What an enrolment needs.
#[derive(Debug)]
pub struct Enrollment<'a> {
    /// Shared by all connections.
    pub dialer: &'a Dialer,
    /// What time it is.
    pub clock: &'a Clock,
    /// Where to.
    pub address: &'a ServerAddress,
    /// Who the box is.
    pub key: &'a IdentityKey,
    /// The join token; `None` to be claimed by code.
    pub join_token: Option<&'a SecretText>,
}

impl Enrollment<'_> {
    /// Proves the key and waits for the certificate. `on_pending` is told whenever a person has to say yes.
    ///
    /// # Errors
    /// The server said no, or the stream broke; beginning again with the same key goes on where this ended.
    pub async fn enroll(
        &self,
        trust: &TrustChain,
        facts: Facts,
        mut on_pending: impl FnMut(PendingEnrollment) + Send,
    ) -> Result<DeviceRecord, EnrollmentError> {
        let connection = Connection::open(self.dialer, self.address, self.dialer.verified(trust, self.clock)?).await?;
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        let begin = Begin {
            certificate_request: self.key.certificate_request().await?,
            join_token: self.join_token.map(|token| token.expose().trim().to_owned()).unwrap_or_default(),
            facts: Some(facts),
        };
        send(&requests, Request::Begin(begin))?;
        let call = async { client(&connection).enroll(ReceiverStream::new(receiver)).await.map_err(ended) };
        let mut responses = answer_in_time(call).await?.into_inner();

        let Response::Challenge(challenge) = next(&mut responses, ANSWER_TIMEOUT).await? else {
            return Err(EnrollmentError::Protocol("the first answer is no challenge"));
        };
        let mut check = Check::new();
        send(&requests, Request::Proof(self.prove(&challenge.nonce, &check).await?))?;
        let mut timeout = ANSWER_TIMEOUT;
        loop {
            match next(&mut responses, timeout).await? {
                Response::Pending(pending) => {
                    timeout = PENDING_TIMEOUT;
                    let (reveal, shown) = self.shows(pending, trust, &mut check)?;
                    if let Some(reveal) = reveal {
                        send(&requests, Request::Reveal(reveal))?;
                    }
                    on_pending(shown);
                }
                Response::Issued(issued) => return self.accept(issued),
                Response::Refused(refused) => return Err(refusal(refused)),
                Response::Challenge(_) => return Err(EnrollmentError::Protocol("a second challenge")),
            }
        }
    }

    async fn prove(&self, nonce: &[u8], check: &Check) -> Result<Proof, EnrollmentError> {
        if nonce.len() != NONCE_BYTES {
            return Err(EnrollmentError::Protocol("a challenge that is not 32 bytes"));
        }
        let message = [SIGNATURE_DOMAIN, nonce, &self.key.public_key_hash()].concat();
        Ok(Proof { signature: self.key.sign(message).await?, check_commitment: sha256(&check.bytes).to_vec() })
    }

    /// What to show, and what to reveal for it. The check characters are made of what this box knows itself: its key, the server that it
    /// trusts, and bytes that nobody else knew before the server's nonce came. Those are used once: a server that could ask twice would
    /// look for a nonce or a code that gives the characters it wants.
    fn shows(
        &self,
        pending: Pending,
        trust: &TrustChain,
        check: &mut Check,
    ) -> Result<(Option<Reveal>, PendingEnrollment), EnrollmentError> {
        let Pending { claim_code, claim_url, expires_at_ms, check_nonce } = pending;
        if check_nonce.is_empty() {
            let (claim_code, claim_url) = (claim_code.into(), claim_url.into());
            return Ok((None, PendingEnrollment { claim_code, claim_url, expires_at_ms, check: None }));
        }
        let nonce = <[u8; claim_check::NONCE_BYTES]>::try_from(check_nonce.as_slice())
            .map_err(|_| EnrollmentError::Protocol("a nonce for check characters that is not 32 bytes"))?;
        let is_first = check.used_for.is_none();
        let used_for = check.used_for.get_or_insert_with(|| (nonce, claim_code.clone()));
        if *used_for != (nonce, claim_code.clone()) {
            return Err(EnrollmentError::Protocol("a second nonce or code for check characters on one stream"));
        }
        let parts = CheckParts {
            key_hash: &self.key.public_key_hash(),
            trust_hash: &trust.first_hash(),
            server_nonce: &nonce,
            box_nonce: &check.bytes,
            code: &claim_code,
        };
        let characters = CheckCharacters::from_hash(&sha256(&parts.message()));
        let reveal = is_first.then(|| Reveal { check_bytes: check.bytes.to_vec() });
        let shown = PendingEnrollment {
            claim_code: claim_code.into(),
            claim_url: claim_url.into(),
            expires_at_ms,
            check: Some(characters),
        };
        Ok((reveal, shown))
    }

    fn accept(&self, issued: Issued) -> Result<DeviceRecord, EnrollmentError> {
        Ok(DeviceRecord::check(self.key, &issued.device_id, &issued.device_name, issued.certificate_chain)?)
    }
}

/// The box's part of its check characters, for one stream.
struct Check {
    bytes: [u8; claim_check::NONCE_BYTES],
    /// The nonce and the code that it was revealed for.
    used_for: Option<([u8; claim_check::NONCE_BYTES], String)>,
}

impl Check {
    fn new() -> Self {
        let mut bytes = [0; claim_check::NONCE_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        Self { bytes, used_for: None }
    }
}

fn client(connection: &Connection) -> EnrollmentServiceClient<crate::connection::Http2Service> {
    EnrollmentServiceClient::with_origin(connection.service(), connection.origin())
        .max_decoding_message_size(ANSWER_MAX_BYTES)
}

fn send(requests: &mpsc::Sender<EnrollRequest>, step: Request) -> Result<(), EnrollmentError> {
    requests
        .try_send(EnrollRequest { step: Some(step) })
        .map_err(|_| EnrollmentError::Protocol("the stream ended before the box had said all"))
}

async fn next(responses: &mut Streaming<EnrollResponse>, timeout: Duration) -> Result<Response, EnrollmentError> {
    let message = tokio::time::timeout(timeout, responses.message())
        .await
        .map_err(|_| EnrollmentError::TimedOut)?
        .map_err(ended)?
        .ok_or(EnrollmentError::Protocol("the stream ended without an answer"))?;
    message.step.ok_or(EnrollmentError::Protocol("an answer that this agent does not know"))
}

pub(crate) async fn answer_in_time<T>(
    call: impl Future<Output = Result<T, EnrollmentError>>,
) -> Result<T, EnrollmentError> {
    tokio::time::timeout(ANSWER_TIMEOUT, call).await.unwrap_or(Err(EnrollmentError::TimedOut))
}

/// For calls to a server that the box has verified: reason, sentence and hint of the status count.
pub(crate) fn ended(status: Status) -> EnrollmentError {
    EnrollmentError::Call(Refusal::from_status(&status))
}

pub(crate) fn refusal(refused: Refused) -> EnrollmentError {
    let Refused { reason, message, retryable, retry_after_ms } = refused;
    let reason = if kaliun_types::reason::is_code(&reason) { reason } else { "enrollment.denied".to_owned() };
    let message = crate::facts::clip(&message, kaliun_types::limits::REASON_MESSAGE_MAX_BYTES).to_owned();
    // At most a day, as the contract says.
    let retry_after = retryable.then(|| Duration::from_millis(retry_after_ms.min(86_400_000)));
    EnrollmentError::Refused { reason, message, retry_after }
}

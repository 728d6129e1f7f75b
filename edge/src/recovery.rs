//! How the box gets a certificate in place of one that is of no use any more: it proves the key that it has.

use crate::clock::Clock;
use crate::connection::Connection;
use crate::dialer::Dialer;
use crate::enrollment::{EnrollmentError, NONCE_BYTES, answer_in_time, ended, refusal};
use crate::identity::{DeviceRecord, IdentityKey};
use crate::server_address::ServerAddress;
use crate::trust::TrustChain;
use kaliun_proto::enrollment::v1::recover_request::{Begin, Proof, Step as Request};
use kaliun_proto::enrollment::v1::recover_response::Step as Response;
use kaliun_proto::enrollment::v1::recovery_service_client::RecoveryServiceClient;
use kaliun_proto::enrollment::v1::{RecoverRequest, RecoverResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

const SIGNATURE_DOMAIN: &[u8] = b"kaliun recovery v1\0";
/// Requests on a recovery stream: Begin and Proof are all there are.
const REQUESTS_MAX: usize = 2;

/// What a recovery needs.
#[derive(Debug)]
pub struct Recovery<'a> {
    /// Shared by all connections.
    pub dialer: &'a Dialer,
    /// What time it is.
    pub clock: &'a Clock,
    /// Where to.
    pub address: &'a ServerAddress,
    /// Who the box is.
    pub key: &'a IdentityKey,
}

impl Recovery<'_> {
    /// Proves the key, on a connection to a server that the box believes, and receives the certificate.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or breaks the protocol.
    pub async fn recover(&self, trust: &TrustChain) -> Result<DeviceRecord, EnrollmentError> {
        let connection = Connection::open(self.dialer, self.address, self.dialer.verified(trust, self.clock)?).await?;
        let mut client = RecoveryServiceClient::with_origin(connection.service(), connection.origin());
        let (requests, receiver) = mpsc::channel(REQUESTS_MAX);
        let begin = Begin { certificate_request: self.key.certificate_request().await? };
        say(&requests, Request::Begin(begin))?;
        let call = async { client.recover(ReceiverStream::new(receiver)).await.map_err(ended) };
        let mut answers = answer_in_time(call).await?.into_inner();
        let Response::Challenge(challenge) = hear(&mut answers).await? else {
            return Err(EnrollmentError::Protocol("it did not begin with a challenge"));
        };
        if challenge.nonce.len() != NONCE_BYTES {
            return Err(EnrollmentError::Protocol("a challenge that is not 32 bytes"));
        }
        // Bound to this connection: whoever passes the challenge on to us from another one gets a proof that fits nowhere.
        let message =
            [SIGNATURE_DOMAIN, &challenge.nonce, &self.key.public_key_hash(), connection.exporter().as_slice()]
                .concat();
        say(&requests, Request::Proof(Proof { signature: self.key.sign(message).await? }))?;
        match hear(&mut answers).await? {
            Response::Issued(issued) => {
                Ok(DeviceRecord::check(self.key, &issued.device_id, &issued.device_name, issued.certificate_chain)?)
            }
            Response::Refused(refused) => Err(refusal(refused)),
            Response::Challenge(_) => Err(EnrollmentError::Protocol("it sent a second challenge")),
        }
    }
}

fn say(requests: &mpsc::Sender<RecoverRequest>, step: Request) -> Result<(), EnrollmentError> {
    requests
        .try_send(RecoverRequest { step: Some(step) })
        .map_err(|_| EnrollmentError::Protocol("the stream ended early"))
}

async fn hear(answers: &mut Streaming<RecoverResponse>) -> Result<Response, EnrollmentError> {
    let answer = answer_in_time(async { answers.message().await.map_err(ended) }).await?;
    answer.and_then(|answer| answer.step).ok_or(EnrollmentError::Protocol("the stream ended early"))
}

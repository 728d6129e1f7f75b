//! Claiming boxes.

use super::{Fixture, PATIENCE, device_channel, enroll_telling, learn_roots, prove, with_token};
use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use kaliun_proto::enrollment::v1::enroll_request::{Begin, Proof, Reveal, Step};
use kaliun_proto::enrollment::v1::enroll_response::{Pending, Step as Answer};
use kaliun_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::enrollment::v1::{EnrollRequest, EnrollResponse};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;
use kaliun_types::claim_check::{CheckCharacters, CheckParts};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

/// What a box with this key shows after it was told a nonce.
pub(crate) fn check_characters(fixture: &Fixture, key_hash: &[u8], nonce: &[u8], code: &str) -> Result<String> {
    let parts = CheckParts {
        key_hash: key_hash.try_into()?,
        trust_hash: &fixture.server.trust_hash(),
        server_nonce: nonce.try_into()?,
        box_nonce: &box_bytes(key_hash),
        code,
    };
    Ok(CheckCharacters::from_hash(&sha256(&parts.message())).as_str().to_owned())
}

/// What a box of these tests keeps to itself until it is asked. A real one makes other bytes for each stream.
pub(crate) fn box_bytes(key_hash: &[u8]) -> [u8; 32] {
    sha256(&[b"a box of these tests", key_hash].concat())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Looks a code up, and then at the box's screen: answers the check characters there. A box that has gone answers, too, so that what
/// comes after can be tried without one.
pub(crate) async fn check(fixture: &Fixture, code: &str) -> Result<String> {
    let mut claims = ClaimServiceClient::new(fixture.public().await?);
    claims.look_up_claim(with_token(fleet::LookUpClaimRequest { code: code.to_owned() })).await?;
    let admin = fixture.admin().await?;
    let key = "SELECT key_hash FROM enrollment WHERE claim_code = $1";
    let key_hash: Vec<u8> =
        admin.query_opt(key, &[&code.replace('-', "")]).await?.context("a box waits under the code")?.get(0);
    let reveal = "UPDATE enrollment SET check_bytes = $2 WHERE key_hash = $1";
    admin.execute(reveal, &[&key_hash, &box_bytes(&key_hash).as_slice()]).await?;
    let row = admin
        .query_opt("SELECT key_hash, check_nonce FROM enrollment WHERE claim_code = $1", &[&code.replace('-', "")])
        .await?
        .context("a box waits under the code")?;
    check_characters(fixture, row.get(0), row.get(1), code)
}

/// Lets a box come with a token whose boxes wait for an operator, and leaves: it goes on waiting.
pub(crate) async fn leave_waiting(fixture: &Fixture, key: &KeyPair, join_token: &str, hostname: &str) -> Result<()> {
    let roots = learn_roots(fixture).await?;
    let (tell, mut told) = mpsc::unbounded_channel();
    tokio::select! {
        ended = enroll_telling(fixture, &roots, key, join_token, hostname, &tell) => bail!("nobody has decided: {ended:?}"),
        pending = told.recv() => {
            assert_eq!(pending.context("it waits")?.claim_code, "", "an operator decides");
            Ok(())
        }
    }
}

/// An enrolment by code, step by step: for boxes that do not keep to it.
pub(crate) struct Dialogue {
    steps: mpsc::Sender<EnrollRequest>,
    answers: Streaming<EnrollResponse>,
}

impl Dialogue {
    pub(crate) async fn begin(fixture: &Fixture, roots: &[CertificateDer<'static>], key: &KeyPair) -> Result<Self> {
        let channel = device_channel(fixture.device_address(), roots, None).await?;
        let (steps, outbound) = mpsc::channel(4);
        let certificate_request = CertificateParams::default().serialize_request(key)?.der().to_vec();
        let begin = Begin { certificate_request, ..Begin::default() };
        steps.send(EnrollRequest { step: Some(Step::Begin(begin)) }).await?;
        let answers = EnrollmentServiceClient::new(channel).enroll(ReceiverStream::new(outbound)).await?.into_inner();
        Ok(Self { steps, answers })
    }

    async fn next(&mut self) -> Result<Answer> {
        let answer = tokio::time::timeout(PATIENCE, self.answers.message()).await??;
        answer.and_then(|answer| answer.step).context("a step")
    }

    pub(crate) async fn prove(&mut self, key: &KeyPair, check_commitment: Vec<u8>) -> Result<()> {
        let Answer::Challenge(challenge) = self.next().await? else { bail!("no challenge") };
        let proof = Proof { signature: prove(key, key, &challenge.nonce)?, check_commitment };
        Ok(self.steps.send(EnrollRequest { step: Some(Step::Proof(proof)) }).await?)
    }

    pub(crate) async fn reveal(&mut self, check_bytes: Vec<u8>) -> Result<()> {
        Ok(self.steps.send(EnrollRequest { step: Some(Step::Reveal(Reveal { check_bytes })) }).await?)
    }

    pub(crate) async fn pending(&mut self) -> Result<Pending> {
        match self.next().await? {
            Answer::Pending(pending) => Ok(pending),
            other @ (Answer::Challenge(_) | Answer::Issued(_) | Answer::Refused(_)) => bail!("not pending: {other:?}"),
        }
    }

    /// The reason of the refusal.
    pub(crate) async fn refused(&mut self) -> Result<String> {
        match self.next().await? {
            Answer::Refused(refused) => Ok(refused.reason),
            other @ (Answer::Challenge(_) | Answer::Issued(_) | Answer::Pending(_)) => bail!("not refused: {other:?}"),
        }
    }
}

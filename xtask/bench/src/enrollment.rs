//! Enrols devices as real boxes are: a join token, a key of their own, a challenge, a certificate.

mod trust;

pub(crate) use trust::anybody;

use crate::certificates::ClientTls;
use crate::connection;
use crate::device;
use crate::identity::{Identity, Kept};
use crate::rpc;
use crate::tasks::Tasks;
use anyhow::{Context as _, bail};
use aws_lc_rs::digest::{SHA256, digest};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kaliun_proto::enrollment::v1::enroll_request::{Begin, Proof, Step as Request};
use kaliun_proto::enrollment::v1::enroll_response::Step as Response;
use kaliun_proto::enrollment::v1::{EnrollRequest, EnrollResponse};
use kaliun_proto::fleet::v1::CreateJoinTokenRequest;
use kaliun_proto::fleet::v1::join_token_service_client::JoinTokenServiceClient;
use kaliun_types::join_token::JoinTokenText;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use rustls::ClientConfig;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const SIGNATURE_DOMAIN: &[u8] = b"kaliun enrollment v1\0";
/// Enrolments under way at once: each waits its turn for the join token's row.
const CONCURRENT: usize = 8;
/// Tries of one device; a busy database tells it to come back.
const TRIES: u32 = 6;
const RETRY: Duration = Duration::from_secs(1);
/// Devices that enrol from one address: the server lets 50 at once through from each.
const PER_SOURCE: usize = 40;

/// Where the control plane is, and who may make join tokens there.
#[derive(Debug)]
pub(crate) struct Office<'a> {
    /// The device listener.
    pub(crate) device: SocketAddr,
    /// The public listener, plain HTTP on loopback.
    pub(crate) public: SocketAddr,
    /// An administrator's API token.
    pub(crate) api_token: &'a str,
}

impl Office<'_> {
    /// Enrols devices until there are this many.
    pub(crate) async fn enroll(&self, kept: &mut Kept, wanted: usize) -> anyhow::Result<()> {
        let missing = wanted.saturating_sub(kept.devices.len());
        if missing == 0 {
            return Ok(());
        }
        // A try that broke after the certificate was made counts too.
        let token = self.join_token(u32::try_from(missing)?.saturating_mul(TRIES)).await?;
        let hash = JoinTokenText::parse(&token).context("the join token is none")?.trust_hash();
        let tasks = Tasks::default();
        let authorities = trust::learn(self.device, hash, &tasks).await?;
        kept.begin(&authorities);
        let tls = ClientTls::new(&kept.authorities()?)?.stranger()?;
        let first = kept.devices.len();
        let enrolled: Vec<Identity> = stream::iter(first..first + missing)
            .map(|number| self.enroll_patiently(number, &token, &tls))
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await?;
        kept.devices.extend(enrolled);
        tasks.stop().await;
        Ok(())
    }

    /// A join token for so many boxes.
    pub(crate) async fn join_token(&self, uses: u32) -> anyhow::Result<String> {
        let channel = tonic::transport::Endpoint::new(format!("http://{}", self.public))?.connect().await?;
        let mut request = tonic::Request::new(CreateJoinTokenRequest {
            description: "bench".to_owned(),
            lifetime_seconds: 3600,
            max_uses: uses,
            ..CreateJoinTokenRequest::default()
        });
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.api_token).parse()?);
        let made = JoinTokenServiceClient::new(channel).create_join_token(request).await?;
        Ok(made.into_inner().secret)
    }

    async fn enroll_patiently(
        &self,
        number: usize,
        join_token: &str,
        tls: &Arc<ClientConfig>,
    ) -> anyhow::Result<Identity> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.enroll_one(number, join_token.to_owned(), Arc::clone(tls)).await {
                Err(_busy) if tries < TRIES => tokio::time::sleep(RETRY * tries).await,
                outcome => return outcome.with_context(|| format!("device {number} could not be enrolled")),
            }
        }
    }

    async fn enroll_one(&self, number: usize, join_token: String, tls: Arc<ClientConfig>) -> anyhow::Result<Identity> {
        self.enroll_from(source(number), number, join_token, tls).await
    }

    /// Enrols one box from an address, once.
    pub(crate) async fn enroll_from(
        &self,
        home: Ipv4Addr,
        number: usize,
        join_token: String,
        tls: Arc<ClientConfig>,
    ) -> anyhow::Result<Identity> {
        let tasks = Tasks::default();
        let connection = connection::secure(home, self.device, tls).await?;
        let sender = connection::http2(connection, &tasks).await?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).context("no key could be made")?;
        let certificate_request = CertificateParams::default().serialize_request(&key)?.der().to_vec();
        // Begin and Proof are all that is sent.
        let (requests, outbound) = mpsc::channel(2);
        let facts = Some(device::facts(number));
        let begin = Request::Begin(Begin { certificate_request, join_token, facts });
        requests.send(EnrollRequest { step: Some(begin) }).await?;
        let path = "/kaliun.enrollment.v1.EnrollmentService/Enroll";
        let mut inbound = rpc::stream(sender, path, ReceiverStream::new(outbound)).await?;
        loop {
            let response: EnrollResponse = rpc::next(&mut inbound).await?;
            match response.step {
                Some(Response::Challenge(challenge)) => {
                    let key_hash = digest(&SHA256, &key.subject_public_key_info());
                    let message = [SIGNATURE_DOMAIN, &challenge.nonce, key_hash.as_ref()].concat();
                    let proof = Request::Proof(Proof {
                        signature: key.sign(&message)?,
                        // Of bytes that nobody asks for: a join token is enough.
                        check_commitment: key_hash.as_ref().to_vec(),
                    });
                    requests.send(EnrollRequest { step: Some(proof) }).await?;
                }
                Some(Response::Issued(issued)) => {
                    tasks.stop().await;
                    return Ok(Identity::new(issued.device_id, &key.serialize_der(), &issued.certificate_chain));
                }
                Some(Response::Refused(refused)) => bail!("{}: {}", refused.reason, refused.message),
                Some(Response::Pending(_)) | None => bail!("the control plane did not take the join token"),
            }
        }
    }
}

/// Many homes, many addresses: all of 127.0.0.0/8 is this machine.
fn source(number: usize) -> Ipv4Addr {
    let home = number / PER_SOURCE;
    let part = |value: usize| u8::try_from(value % 250).unwrap_or(0);
    Ipv4Addr::new(127, 1, part(home / 250), part(home) + 1)
}

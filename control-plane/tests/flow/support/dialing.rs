//! How a box reaches the server before it has a link: connections, trust bundles and enrolment.

use super::anybody::Anybody;
use super::{Fixture, PATIENCE};
use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use kaliun_proto::enrollment::v1::enroll_request::{Begin, Proof, Reveal, Step};
use kaliun_proto::enrollment::v1::enroll_response::{Pending, Step as Answer};
use kaliun_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::enrollment::v1::{EnrollRequest, GetTrustBundleRequest, SignedTrustBundle, TrustBundle};
use kaliun_proto::telemetry::v1::Facts;
use prost::Message;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// What a box shows of itself: its certificates, and the key that proves them.
pub(crate) type Shown<'a> = Option<(Vec<CertificateDer<'static>>, &'a KeyPair)>;

/// How a box does TLS before it knows its server.
async fn unverified_channel(address: SocketAddr) -> Result<Channel> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    channel_over(Endpoint::from_static("http://localhost"), move || TcpStream::connect(address), connector).await
}

/// How a box does TLS.
fn connector(roots: &[CertificateDer<'static>], identity: Shown<'_>) -> Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone())?;
    }
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(store);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(chain, key)?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A connection to the device listener after its handshake, with nothing said on it.
pub(crate) async fn secure_stream(
    address: SocketAddr,
    roots: &[CertificateDer<'static>],
    identity: Shown<'_>,
) -> Result<TlsStream<TcpStream>> {
    secure_stream_from(TcpStream::connect(address).await?, roots, identity).await
}

/// The same over a connection that is there already.
pub(crate) async fn secure_stream_from(
    stream: TcpStream,
    roots: &[CertificateDer<'static>],
    identity: Shown<'_>,
) -> Result<TlsStream<TcpStream>> {
    Ok(connector(roots, identity)?.connect(ServerName::try_from("localhost")?, stream).await?)
}

/// A channel to the device listener.
pub(crate) async fn device_channel(
    address: SocketAddr,
    roots: &[CertificateDer<'static>],
    identity: Shown<'_>,
) -> Result<Channel> {
    device_channel_by(Endpoint::from_static("http://localhost"), move || TcpStream::connect(address), roots, identity)
        .await
}

/// The same by another way to the listener.
pub(crate) async fn device_channel_by<F>(
    endpoint: Endpoint,
    dial: impl Fn() -> F + Send + 'static,
    roots: &[CertificateDer<'static>],
    identity: Shown<'_>,
) -> Result<Channel>
where
    F: Future<Output = std::io::Result<TcpStream>> + Send + 'static,
{
    channel_over(endpoint, dial, connector(roots, identity)?).await
}

async fn channel_over<F>(
    endpoint: Endpoint,
    dial: impl Fn() -> F + Send + 'static,
    connector: TlsConnector,
) -> Result<Channel>
where
    F: Future<Output = std::io::Result<TcpStream>> + Send + 'static,
{
    let connect = tower::service_fn(move |_uri: Uri| {
        let (connector, dialled) = (connector.clone(), dial());
        async move {
            let stream = dialled.await?;
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(connector.connect(name, stream).await?))
        }
    });
    Ok(endpoint.connect_with_connector(connect).await?)
}

/// The chain of trust bundles, asked for as a box does that knows nobody yet.
pub(crate) async fn bundles(fixture: &Fixture) -> Result<Vec<SignedTrustBundle>> {
    let channel = unverified_channel(fixture.device_address()).await?;
    let answer =
        EnrollmentServiceClient::new(channel).get_trust_bundle(GetTrustBundleRequest { from_version: 0 }).await?;
    Ok(answer.into_inner().bundles)
}

/// The authorities, learned as a box learns them.
pub(crate) async fn learn_roots(fixture: &Fixture) -> Result<Vec<CertificateDer<'static>>> {
    let bundles = bundles(fixture).await?;
    let first = bundles.first().context("there is a first bundle")?;
    ensure!(digest(&SHA256, &first.bundle).as_ref() == fixture.server.trust_hash(), "the hash is of the first bundle");
    let newest = bundles.last().context("there is a newest bundle")?;
    let bundle = TrustBundle::decode(newest.bundle.as_slice())?;
    Ok(bundle.certificate_authorities.into_iter().map(CertificateDer::from).collect())
}

/// Goes through enrolment with a key and answers the last step.
pub(crate) async fn enroll(
    fixture: &Fixture,
    roots: &[CertificateDer<'static>],
    key: &KeyPair,
    join_token: &str,
    hostname: &str,
    on_pending: impl AsyncFnMut(String),
) -> Result<Answer> {
    let channel = device_channel(fixture.device_address(), roots, None).await?;
    enroll_over(channel, key, key, join_token, hostname, on_pending).await
}

/// Enrols with a key that somebody else's key is to prove; answers the reason of the refusal.
pub(crate) async fn enroll_with_foreign_proof(
    fixture: &Fixture,
    roots: &[CertificateDer<'static>],
    key: &KeyPair,
    prover: &KeyPair,
    join_token: &str,
) -> Result<String> {
    let channel = device_channel(fixture.device_address(), roots, None).await?;
    match enroll_over(channel, key, prover, join_token, "cellar", async |_| {}).await? {
        Answer::Refused(refused) => Ok(refused.reason),
        other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Issued(_)) => {
            anyhow::bail!("not refused: {other:?}")
        }
    }
}

/// Goes through enrolment, tells everything that the box has to wait for, and answers the last step.
pub(crate) async fn enroll_telling(
    fixture: &Fixture,
    roots: &[CertificateDer<'static>],
    key: &KeyPair,
    join_token: &str,
    hostname: &str,
    tell: &mpsc::UnboundedSender<Pending>,
) -> Result<Answer> {
    let channel = device_channel(fixture.device_address(), roots, None).await?;
    let on_pending = async |pending| tell.send(pending).unwrap_or_default();
    dialogue(channel, key, key, join_token, hostname, on_pending).await
}

/// The whole dialogue over a channel. `on_pending` is told each new code.
pub(crate) async fn enroll_over(
    channel: Channel,
    key: &KeyPair,
    prover: &KeyPair,
    join_token: &str,
    hostname: &str,
    mut on_pending: impl AsyncFnMut(String),
) -> Result<Answer> {
    let mut shown = None;
    let on_pending = async |pending: Pending| {
        // Said again for the check characters, or as a sign of life.
        if shown.as_ref() != Some(&pending.claim_code) {
            shown = Some(pending.claim_code.clone());
            on_pending(pending.claim_code).await;
        }
    };
    dialogue(channel, key, prover, join_token, hostname, on_pending).await
}

async fn dialogue(
    channel: Channel,
    key: &KeyPair,
    prover: &KeyPair,
    join_token: &str,
    hostname: &str,
    mut on_pending: impl AsyncFnMut(Pending),
) -> Result<Answer> {
    let (steps, outbound) = mpsc::channel(4);
    let check_bytes = super::claims::box_bytes(digest(&SHA256, &key.subject_public_key_info()).as_ref());
    let mut has_revealed = false;
    let request = CertificateParams::default().serialize_request(key)?;
    let facts = Facts { hostname: hostname.to_owned(), ..Facts::default() };
    let begin =
        Begin { certificate_request: request.der().to_vec(), join_token: join_token.to_owned(), facts: Some(facts) };
    steps.send(EnrollRequest { step: Some(Step::Begin(begin)) }).await?;
    let mut answers = EnrollmentServiceClient::new(channel).enroll(ReceiverStream::new(outbound)).await?.into_inner();
    while let Some(answer) = tokio::time::timeout(PATIENCE, answers.message()).await?? {
        match answer.step.context("a step")? {
            Answer::Challenge(challenge) => {
                let check_commitment = super::claims::sha256(&check_bytes).to_vec();
                let proof = Proof { signature: prove(prover, key, &challenge.nonce)?, check_commitment };
                steps.send(EnrollRequest { step: Some(Step::Proof(proof)) }).await?;
            }
            Answer::Pending(pending) => {
                if !pending.check_nonce.is_empty() && !has_revealed {
                    has_revealed = true;
                    let reveal = Reveal { check_bytes: check_bytes.to_vec() };
                    steps.send(EnrollRequest { step: Some(Step::Reveal(reveal)) }).await?;
                }
                on_pending(pending).await;
            }
            last @ (Answer::Issued(_) | Answer::Refused(_)) => return Ok(last),
        }
    }
    anyhow::bail!("the enrolment ended without an answer")
}

pub(crate) fn prove(prover: &KeyPair, key: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>> {
    let key_hash = digest(&SHA256, &key.subject_public_key_info());
    let message = [b"kaliun enrollment v1\0", nonce, key_hash.as_ref()].concat();
    sign(prover, &message)
}

/// Signs as a box does.
pub(crate) fn sign(key: &KeyPair, message: &[u8]) -> Result<Vec<u8>> {
    let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der())
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let signature = signer.sign(&aws_lc_rs::rand::SystemRandom::new(), message);
    Ok(signature.map_err(|error| anyhow::anyhow!("{error}"))?.as_ref().to_vec())
}

/// Lets a box wait to be claimed, and leaves: its code stays good for some minutes.
pub(crate) async fn claim_code(fixture: &Fixture, hostname: &str) -> Result<String> {
    let roots = learn_roots(fixture).await?;
    let key = KeyPair::generate()?;
    let (tell, mut told) = mpsc::channel(1);
    let on_pending = async |code: String| tell.send(code).await.expect("somebody wants to know");
    tokio::select! {
        ended = enroll(fixture, &roots, &key, "", hostname, on_pending) => anyhow::bail!("nobody has decided: {ended:?}"),
        code = told.recv() => code.context("a code"),
    }
}

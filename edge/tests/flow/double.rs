//! A control plane for tests: real TLS, real services, but every answer on the link is the test's own.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use kaliun_edge::tasks::{Spawner, Tasks};
use kaliun_proto::enrollment::v1::enroll_request::Step as EnrollStep;
use kaliun_proto::enrollment::v1::enroll_response::{Challenge, Issued, Pending, Refused, Step};
use kaliun_proto::enrollment::v1::enrollment_service_server::{EnrollmentService, EnrollmentServiceServer};
use kaliun_proto::enrollment::v1::recover_request::Step as RecoverStep;
use kaliun_proto::enrollment::v1::recover_response::Step as Recovered;
use kaliun_proto::enrollment::v1::recovery_service_server::{RecoveryService, RecoveryServiceServer};
use kaliun_proto::enrollment::v1::{
    EnrollRequest, EnrollResponse, GetTrustBundleRequest, GetTrustBundleResponse, RecoverRequest, RecoverResponse,
    SignedTrustBundle, TrustBundle,
};
use kaliun_proto::link::v1::link_service_server::{LinkService, LinkServiceServer};
use kaliun_proto::link::v1::{DeviceMessage, ServerMessage};
use kaliun_types::secret::SecretText;
use prost::Message;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SigningKey,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Opened streams that a test has not looked at yet. No test opens more.
const ATTEMPTS_MAX: usize = 64;

/// What the double says to a box that proved its key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Issue,
    Pend(String),
    /// Somebody has entered this code; the nonce for its check characters. The box is heard once on a stream.
    Entered(String, Vec<u8>),
    Refuse {
        reason: String,
        retry_after_ms: Option<u64>,
    },
    /// The stream ends without a word.
    Break,
}

/// What comes in place of the trust bundles: the word of whoever is in between, for boxes have not verified anybody there.
#[derive(Debug, Clone)]
pub(crate) enum Stranger {
    Refuses(Status),
    Tells(Vec<SignedTrustBundle>),
}

/// One box that asked to open the link. The test answers.
pub(crate) struct Attempt {
    /// The certificate that it showed.
    pub(crate) shown: CertificateDer<'static>,
    pub(crate) inbound: Streaming<DeviceMessage>,
    answer: oneshot::Sender<Result<mpsc::Receiver<Result<ServerMessage, Status>>, Status>>,
}

/// One box that began to enrol.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Begun {
    pub(crate) join_token: String,
    pub(crate) hostname: String,
    pub(crate) public_key_info: Vec<u8>,
}

/// What a box committed itself to with its proof, and what it revealed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Revealed {
    pub(crate) commitment: Vec<u8>,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Double {
    pub(crate) url: String,
    pub(crate) answer: watch::Sender<Answer>,
    /// What it says to a box that recovers; the same where there is nothing.
    pub(crate) recovery: watch::Sender<Option<Answer>>,
    /// Who answers when a box asks for trust bundles; itself where nobody does.
    pub(crate) stranger: watch::Sender<Option<Stranger>>,
    pub(crate) attempts: mpsc::Receiver<Attempt>,
    pub(crate) begun: mpsc::Receiver<Begun>,
    /// Boxes that proved their key once more, by its SubjectPublicKeyInfo.
    pub(crate) proved: mpsc::Receiver<Vec<u8>>,
    /// What boxes committed themselves to and then revealed.
    pub(crate) revealed: mpsc::Receiver<Revealed>,
    shared: Arc<Shared>,
    bundle_key: KeyPair,
    _tasks: Tasks,
}

struct Shared {
    bundles: Mutex<Vec<SignedTrustBundle>>,
    tls: Mutex<Arc<rustls::ServerConfig>>,
    authority: Authority,
    answer: watch::Receiver<Answer>,
    recovery: watch::Receiver<Option<Answer>>,
    stranger: watch::Receiver<Option<Stranger>>,
    attempts: mpsc::Sender<Attempt>,
    begun: mpsc::Sender<Begun>,
    proved: mpsc::Sender<Vec<u8>>,
    revealed: mpsc::Sender<Revealed>,
    spawner: Spawner,
}

struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

#[derive(Clone)]
struct Service(Arc<Shared>, Option<CertificateDer<'static>>, [u8; 32]);

impl Double {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let authority = Authority::new();
        let bundle_key = key();
        let first = signed_bundle(1, &authority, &bundle_key, &bundle_key);
        let (answer, answer_receiver) = watch::channel(Answer::Issue);
        let (recovery, recovery_receiver) = watch::channel(None);
        let (stranger, stranger_receiver) = watch::channel(None);
        let (attempts_sender, attempts) = mpsc::channel(ATTEMPTS_MAX);
        let (begun_sender, begun) = mpsc::channel(ATTEMPTS_MAX);
        let (proved_sender, proved) = mpsc::channel(ATTEMPTS_MAX);
        let (revealed_sender, revealed) = mpsc::channel(ATTEMPTS_MAX);
        let tasks = Tasks::new();
        let shared = Arc::new(Shared {
            bundles: Mutex::new(vec![first]),
            tls: Mutex::new(authority.server_config(&authority)),
            authority,
            answer: answer_receiver,
            recovery: recovery_receiver,
            stranger: stranger_receiver,
            attempts: attempts_sender,
            begun: begun_sender,
            proved: proved_sender,
            revealed: revealed_sender,
            spawner: tasks.spawner(),
        });
        tasks.spawner().spawn(accept(listener, shared.clone()));
        Self { url, answer, recovery, stranger, attempts, begun, proved, revealed, shared, bundle_key, _tasks: tasks }
    }

    /// SHA-256 of trust bundle version 1.
    pub(crate) fn trust_hash(&self) -> [u8; 32] {
        sha256(&self.shared.bundles.lock().unwrap()[0].bundle)
    }

    pub(crate) fn join_token(&self) -> SecretText {
        let hash = data_encoding::HEXLOWER.encode(&self.trust_hash());
        SecretText::new(format!("kjt1.{}.{hash}", "s".repeat(32)))
    }

    /// The server's certificate is from another authority from now on, which no bundle names yet.
    pub(crate) fn change_authority(&self) -> impl FnOnce() {
        let next = Authority::new();
        *self.shared.tls.lock().unwrap() = next.server_config(&self.shared.authority);
        let bundle = signed_bundle(2, &next, &self.bundle_key, &self.bundle_key);
        let shared = self.shared.clone();
        // Called, it makes the bundle known.
        move || shared.bundles.lock().unwrap().push(bundle)
    }

    /// A certificate for the key of a signing request.
    pub(crate) fn issue(&self, certificate_request: Vec<u8>) -> Vec<Vec<u8>> {
        let request = CertificateSigningRequestDer::from(certificate_request);
        let request = CertificateSigningRequestParams::from_der(&request).unwrap();
        self.shared.authority.issue(request).certificate_chain
    }

    /// The same, of a server whose clock is years ahead.
    pub(crate) fn issue_from_the_future(&self, certificate_request: Vec<u8>) -> Vec<Vec<u8>> {
        let request = CertificateSigningRequestDer::from(certificate_request);
        let mut request = CertificateSigningRequestParams::from_der(&request).unwrap();
        request.params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        self.shared.authority.issue(request).certificate_chain
    }

    /// A certificate for a key that is nobody's here.
    pub(crate) fn issue_to_another(&self) -> Vec<Vec<u8>> {
        let request = CertificateParams::default().serialize_request(&key()).unwrap();
        self.issue(request.der().to_vec())
    }

    /// Two more trust bundles, as a rotation makes them.
    pub(crate) fn rotate(&self) {
        let mut bundles = self.shared.bundles.lock().unwrap();
        for version in 2..=3 {
            bundles.push(signed_bundle(version, &self.shared.authority, &self.bundle_key, &self.bundle_key));
        }
    }

    /// All trust bundles so far.
    pub(crate) fn bundles(&self) -> Vec<SignedTrustBundle> {
        self.shared.bundles.lock().unwrap().clone()
    }

    /// Version 2 of the trust bundle.
    pub(crate) fn second_bundle(&self) -> SignedTrustBundle {
        signed_bundle(2, &self.shared.authority, &self.bundle_key, &self.bundle_key)
    }

    /// The chain that somebody with a stolen bundle key tells: version 2 names an authority of theirs.
    pub(crate) fn thiefs_chain(&self) -> Vec<SignedTrustBundle> {
        let first = self.shared.bundles.lock().unwrap()[0].clone();
        vec![first, signed_bundle(2, &Authority::new(), &key(), &self.bundle_key)]
    }

    /// The next box that opens the link.
    pub(crate) async fn attempt(&mut self) -> Attempt {
        crate::within(self.attempts.recv()).await.unwrap()
    }
}

impl Attempt {
    pub(crate) fn refuse(self, status: Status) {
        assert!(self.answer.send(Err(status)).is_ok());
    }

    /// Lets the stream open. What is sent goes to the box; dropping the sender ends the stream.
    pub(crate) fn accept(self) -> (Streaming<DeviceMessage>, mpsc::Sender<Result<ServerMessage, Status>>) {
        let (sender, receiver) = mpsc::channel(ATTEMPTS_MAX);
        assert!(self.answer.send(Ok(receiver)).is_ok());
        (self.inbound, sender)
    }
}

#[tonic::async_trait]
impl LinkService for Service {
    type OpenLinkStream = ReceiverStream<Result<ServerMessage, Status>>;

    async fn open_link(
        &self,
        request: Request<Streaming<DeviceMessage>>,
    ) -> Result<Response<Self::OpenLinkStream>, Status> {
        let (answer, answered) = oneshot::channel();
        let inbound = request.into_inner();
        let shown = self.1.clone().ok_or_else(|| Status::unauthenticated("peer.no_certificate: No."))?;
        self.0.attempts.send(Attempt { shown, inbound, answer }).await.map_err(|_| Status::unavailable("no test"))?;
        let outbound = answered.await.map_err(|_| Status::unavailable("no test"))??;
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

#[tonic::async_trait]
impl EnrollmentService for Service {
    type EnrollStream = ReceiverStream<Result<EnrollResponse, Status>>;

    async fn get_trust_bundle(
        &self,
        request: Request<GetTrustBundleRequest>,
    ) -> Result<Response<GetTrustBundleResponse>, Status> {
        match self.0.stranger.borrow().clone() {
            Some(Stranger::Refuses(status)) => return Err(status),
            Some(Stranger::Tells(bundles)) => return Ok(Response::new(GetTrustBundleResponse { bundles })),
            None => {}
        }
        let known = usize::try_from(request.into_inner().from_version).unwrap();
        let bundles = self.0.bundles.lock().unwrap().iter().skip(known).cloned().collect();
        Ok(Response::new(GetTrustBundleResponse { bundles }))
    }

    async fn enroll(&self, request: Request<Streaming<EnrollRequest>>) -> Result<Response<Self::EnrollStream>, Status> {
        let (sender, receiver) = mpsc::channel(8);
        let shared = self.0.clone();
        self.0.spawner.spawn(async move {
            if let Err(status) = shared.enroll(request.into_inner(), &sender).await {
                let _gone = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl RecoveryService for Service {
    type RecoverStream = ReceiverStream<Result<RecoverResponse, Status>>;

    async fn recover(
        &self,
        request: Request<Streaming<RecoverRequest>>,
    ) -> Result<Response<Self::RecoverStream>, Status> {
        let (sender, receiver) = mpsc::channel(8);
        let (shared, exporter) = (self.0.clone(), self.2);
        self.0.spawner.spawn(async move {
            if let Err(status) = shared.recover(request.into_inner(), &sender, exporter).await {
                let _gone = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl Shared {
    async fn recover(
        &self,
        mut inbound: Streaming<RecoverRequest>,
        sender: &mpsc::Sender<Result<RecoverResponse, Status>>,
        exporter: [u8; 32],
    ) -> Result<(), Status> {
        let say = |step| async move {
            sender.send(Ok(RecoverResponse { step: Some(step) })).await.map_err(|_| Status::cancelled("gone"))
        };
        let Some(RecoverStep::Begin(begin)) = inbound.message().await?.and_then(|message| message.step) else {
            return Err(Status::invalid_argument("expected begin"));
        };
        let request = CertificateSigningRequestDer::from(begin.certificate_request);
        let request = CertificateSigningRequestParams::from_der(&request).unwrap();
        let public_key_info = request.public_key.subject_public_key_info();
        let nonce = vec![8; 32];
        say(Recovered::Challenge(Challenge { nonce: nonce.clone() })).await?;
        let Some(RecoverStep::Proof(proof)) = inbound.message().await?.and_then(|message| message.step) else {
            return Err(Status::invalid_argument("expected proof"));
        };
        let message = [b"kaliun recovery v1\0".as_slice(), &nonce, &sha256(&public_key_info), &exporter].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, request.public_key.der_bytes())
            .verify(&message, &proof.signature)
            .map_err(|_| Status::unauthenticated("enrollment.proof_invalid: No."))?;
        self.proved.send(public_key_info).await.unwrap();
        let recovery = self.recovery.borrow().clone();
        match recovery.unwrap_or_else(|| self.answer.borrow().clone()) {
            Answer::Refuse { reason, retry_after_ms } => {
                let (retryable, retry_after_ms) = (retry_after_ms.is_some(), retry_after_ms.unwrap_or(0));
                say(Recovered::Refused(Refused { reason, message: "No.".to_owned(), retryable, retry_after_ms })).await
            }
            Answer::Issue | Answer::Pend(_) | Answer::Entered(..) => {
                say(Recovered::Issued(self.authority.issue(request))).await
            }
            Answer::Break => Ok(()),
        }
    }

    async fn enroll(
        &self,
        mut inbound: Streaming<EnrollRequest>,
        sender: &mpsc::Sender<Result<EnrollResponse, Status>>,
    ) -> Result<(), Status> {
        let say = |step| async move {
            sender.send(Ok(EnrollResponse { step: Some(step) })).await.map_err(|_| Status::cancelled("gone"))
        };
        let Some(EnrollStep::Begin(begin)) = inbound.message().await?.and_then(|message| message.step) else {
            return Err(Status::invalid_argument("expected begin"));
        };
        let request = CertificateSigningRequestDer::from(begin.certificate_request);
        let request = CertificateSigningRequestParams::from_der(&request).unwrap();
        let public_key_info = request.public_key.subject_public_key_info();
        let hostname = begin.facts.unwrap().hostname;
        let begun = Begun { join_token: begin.join_token, hostname, public_key_info: public_key_info.clone() };
        self.begun.send(begun).await.unwrap();

        let nonce = vec![7; 32];
        say(Step::Challenge(Challenge { nonce: nonce.clone() })).await?;
        let Some(EnrollStep::Proof(proof)) = inbound.message().await?.and_then(|message| message.step) else {
            return Err(Status::invalid_argument("expected proof"));
        };
        let message = [b"kaliun enrollment v1\0".as_slice(), &nonce, &sha256(&public_key_info)].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, request.public_key.der_bytes())
            .verify(&message, &proof.signature)
            .map_err(|_| Status::unauthenticated("enrollment.proof_invalid: No."))?;

        let mut answer = self.answer.clone();
        let mut has_revealed = false;
        loop {
            let now = answer.borrow_and_update().clone();
            match now {
                Answer::Pend(code) => {
                    let claim_url = format!("http://127.0.0.1/claim?code={code}");
                    let check_nonce = Vec::new();
                    say(Step::Pending(Pending { claim_code: code, claim_url, expires_at_ms: 1, check_nonce })).await?;
                }
                Answer::Entered(code, check_nonce) => {
                    let claim_url = format!("http://127.0.0.1/claim?code={code}");
                    say(Step::Pending(Pending { claim_code: code, claim_url, expires_at_ms: 1, check_nonce })).await?;
                    if !has_revealed {
                        let step = inbound.message().await?.and_then(|message| message.step);
                        let Some(EnrollStep::Reveal(reveal)) = step else {
                            return Err(Status::invalid_argument("expected reveal"));
                        };
                        has_revealed = true;
                        let commitment = proof.check_commitment.clone();
                        let revealed = Revealed { commitment, bytes: reveal.check_bytes };
                        self.revealed.send(revealed).await.unwrap();
                    }
                }
                Answer::Refuse { reason, retry_after_ms } => {
                    let message = "No.".to_owned();
                    let retryable = retry_after_ms.is_some();
                    let retry_after_ms = retry_after_ms.unwrap_or(0);
                    return say(Step::Refused(Refused { reason, message, retryable, retry_after_ms })).await;
                }
                Answer::Break => return Ok(()),
                Answer::Issue => return say(Step::Issued(self.authority.issue(request))).await,
            }
            answer.changed().await.map_err(|_| Status::unavailable("no test"))?;
        }
    }
}

impl Authority {
    fn new() -> Self {
        let key = key();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, mut request: CertificateSigningRequestParams) -> Issued {
        let device_id = "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".to_owned();
        let uri = format!("urn:kaliun:device:{device_id}");
        request.params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let certificate = request.signed_by(&self.issuer).unwrap();
        let certificate_chain = vec![certificate.der().to_vec(), self.certificate.to_vec()];
        Issued { device_id, certificate_chain, device_name: "test-box".to_owned() }
    }

    fn server_config(&self, clients: &Authority) -> Arc<rustls::ServerConfig> {
        let key = key();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(clients.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let tls = shared.tls.lock().unwrap().clone();
        let shared = shared.clone();
        shared.spawner.clone().spawn(async move {
            let Ok(stream) = TlsAcceptor::from(tls).accept(socket).await else {
                return;
            };
            let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let connection = stream.get_ref().1;
            let exporter = connection.export_keying_material([0; 32], b"EXPORTER-kaliun-recovery", None).unwrap();
            let service = Service(shared.clone(), shown.map(|leaf| leaf.clone().into_owned()), exporter);
            let mut routes = tonic::service::Routes::new(EnrollmentServiceServer::new(service.clone()))
                .add_service(RecoveryServiceServer::new(service.clone()));
            // The link is for boxes with a certificate only.
            if service.1.is_some() {
                routes = routes.add_service(LinkServiceServer::new(service));
            }
            let _ended = hyper::server::conn::http2::Builder::new(shared.spawner.clone())
                .serve_connection(
                    hyper_util::rt::TokioIo::new(stream),
                    hyper_util::service::TowerToHyperService::new(routes.prepare()),
                )
                .await;
        });
    }
}

fn signed_bundle(version: u64, authority: &Authority, own: &KeyPair, signer: &KeyPair) -> SignedTrustBundle {
    let bundle = TrustBundle {
        version,
        certificate_authorities: vec![authority.certificate.to_vec()],
        bundle_key: own.der_bytes().to_vec(),
        created_at_ms: 1,
    }
    .encode_to_vec();
    let signature = signer.sign(&[b"kaliun trust bundle v1\0".as_slice(), &bundle].concat()).unwrap();
    SignedTrustBundle { bundle, signature }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

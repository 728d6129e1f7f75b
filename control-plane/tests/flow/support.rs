//! A server, and clients for it.

mod anybody;
mod backup;
pub(crate) mod ca;
pub(crate) mod claims;

use anybody::Anybody;
use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use kaliun_cluster::testing::TestDatabase;
use kaliun_control_plane::authority::KeyFile;
use kaliun_control_plane::clock::Clock;
use kaliun_control_plane::config::{Config, Database};
use kaliun_control_plane::server::Server;
use kaliun_proto::enrollment::v1::enroll_request::{Begin, Proof, Reveal, Step};
use kaliun_proto::enrollment::v1::enroll_response::{Issued, Pending, Step as Answer};
use kaliun_proto::enrollment::v1::enrollment_service_client::EnrollmentServiceClient;
use kaliun_proto::enrollment::v1::{EnrollRequest, GetTrustBundleRequest, SignedTrustBundle, TrustBundle};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use kaliun_proto::link::v1::link_service_client::LinkServiceClient;
use kaliun_proto::link::v1::server_message::Message as ServerWord;
use kaliun_proto::link::v1::{
    DeviceMessage, Heartbeat, Hello, ItemClass, SampleBatch, ServerMessage, SpoolPosition, Welcome,
};
use kaliun_proto::telemetry::v1::{Facts, Health, HealthVerdict, Metric, Sample, SampleValues};
use kaliun_store::{DatabaseAccess, DatabaseUrl, Store, Wakeups};
use prost::Message;
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_postgres::{Client, NoTls};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status, Streaming};

/// Longest wait for anything: a machine that is busy compiling.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const TOKEN: &str = "kat1.a-token-for-tests-that-is-long-enough-to-be-one";

/// A running server with everything it needs. Stopped by hand at the end of a test.
pub(crate) struct Fixture {
    pub(crate) server: Server,
    pub(crate) database: TestDatabase,
    config: Config,
    folder: PathBuf,
    clock: Clock,
}

/// A server that was stopped, with everything it needs.
pub(crate) struct Stopped {
    pub(crate) database: TestDatabase,
    pub(crate) config: Config,
    folder: PathBuf,
    clock: Clock,
}

/// What is left of a server.
pub(crate) struct Halted {
    _database: TestDatabase,
    folder: PathBuf,
}

impl Halted {
    /// The folder, gone with [`Self::remove`].
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn remove(self) -> Result<()> {
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }
}

impl Fixture {
    pub(crate) async fn start() -> Result<Self> {
        Self::start_with(|_config| {}).await
    }

    /// Starts a server with another configuration than usual.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Result<Self> {
        let database = TestDatabase::create().await?;
        let folder = std::env::temp_dir().join(format!("kaliun-flow-{}-{}", std::process::id(), database.name()));
        std::fs::create_dir_all(&folder)?;
        let token_file = folder.join("token");
        std::fs::write(&token_file, TOKEN)?;
        let mut config = config_for(&database, folder.clone(), token_file);
        change(&mut config);
        let clock = Clock::default();
        let server = Server::start_by(&config, clock.clone()).await?;
        Ok(Self { server, database, config, folder, clock })
    }

    /// Starts another server on the same database, with the same authority.
    pub(crate) async fn replica(&self) -> Result<Server> {
        let config = Config { replica_name: "other".to_owned(), ..self.config.clone() };
        Ok(Server::start_by(&config, self.clock.clone()).await?)
    }

    /// Stops the server and starts it again.
    pub(crate) async fn restart(self) -> Result<Self> {
        self.server.stop().await;
        Ok(Self { server: Server::start_by(&self.config, self.clock.clone()).await?, ..self })
    }

    /// Stops the server, lets something be done meanwhile, and starts it again.
    pub(crate) async fn restart_after<T>(self, work: impl AsyncFnOnce(&Stopped) -> Result<T>) -> Result<(Self, T)> {
        let Self { server, database, config, folder, clock } = self;
        server.stop().await;
        let stopped = Stopped { database, config, folder, clock };
        let done = work(&stopped).await?;
        let Stopped { database, config, folder, clock } = stopped;
        let server = Server::start_by(&config, clock.clone()).await?;
        Ok((Self { server, database, config, folder, clock }, done))
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.server.stop().await;
        std::fs::remove_dir_all(&self.folder)?;
        Ok(())
    }

    /// Stops the server for good, and keeps the database and the folder.
    pub(crate) async fn halt(self) -> Halted {
        self.server.stop().await;
        Halted { _database: self.database, folder: self.folder }
    }

    /// Moves the clock on that certificates and rotations go by, of all servers here.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// How the server was configured.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// The folder of this test, gone with it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn device_address(&self) -> SocketAddr {
        self.server.addresses().device
    }

    /// A channel to the public listener.
    pub(crate) async fn public(&self) -> Result<Channel> {
        public_channel(&self.server).await
    }

    /// A connection as the superuser, to act behind the server's back.
    pub(crate) async fn admin(&self) -> Result<Client> {
        connect(&self.database.admin_config()).await
    }

    /// What replicas tell each other from now on.
    pub(crate) async fn hints(&self) -> Result<Wakeups> {
        let url = DatabaseUrl::from(self.database.admin_config());
        let store = Store::open(&DatabaseAccess::Given { url: url.clone(), direct_url: url, ca: None }).await?;
        Ok(store.wakeups.connect().await?)
    }

    pub(crate) async fn devices(&self) -> Result<fleet::device_service_client::DeviceServiceClient<Channel>> {
        Ok(fleet::device_service_client::DeviceServiceClient::new(self.public().await?))
    }

    /// The server's own authority, to make certificates that it would not.
    pub(crate) async fn own_issuer(&self) -> Result<rcgen::Issuer<'static, KeyPair>> {
        let keys = KeyFile::open(&self.config.authority_key_file)?.context("there is a key file")?;
        let row = self
            .admin()
            .await?
            .query_one("SELECT certificate, sealed_key FROM authority WHERE number = 1", &[])
            .await?;
        let key = keys.unseal("authority 1", row.get(1))?;
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key.as_slice()))?;
        Ok(rcgen::Issuer::from_ca_cert_der(&CertificateDer::from(row.get::<_, Vec<u8>>(0)), key)?)
    }

    /// A join token for many boxes.
    pub(crate) async fn join_token(&self) -> Result<String> {
        let mut tokens = fleet::join_token_service_client::JoinTokenServiceClient::new(self.public().await?);
        let request = fleet::CreateJoinTokenRequest {
            description: "test".to_owned(),
            max_uses: 1000,
            ..fleet::CreateJoinTokenRequest::default()
        };
        Ok(tokens.create_join_token(with_token(request)).await?.into_inner().secret)
    }
}

/// Connects to a database behind the server's back.
#[expect(clippy::disallowed_methods, reason = "the connection's task ends with the client")]
pub(crate) async fn connect(config: &tokio_postgres::Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// How a server on a database is configured.
pub(crate) fn config_for(database: &TestDatabase, state_dir: PathBuf, token_file: PathBuf) -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let url = DatabaseUrl::from(database.admin_config());
    Config {
        authority_key_file: state_dir.join("authority.key"),
        state_dir,
        replica_name: "test".to_owned(),
        device_listen: any,
        device_url: None,
        device_balancers: Vec::new(),
        device_sources_hidden: false,
        public_listen: any,
        public_url: None,
        public_tls: None,
        public_proxies: Vec::new(),
        behind_tls_proxy: false,
        internal_listen: any,
        database: Database::Url { url: url.clone(), direct_url: url, ca: None },
        first_admin_email: "admin@example.org".to_owned(),
        first_admin_password_file: None,
        first_api_token_file: Some(token_file),
        otlp_endpoint: None,
        log_json: false,
        log: "info".to_owned(),
        heartbeat_interval_ms: 1_000,
        sample_interval_ms: 15_000,
    }
}

/// A channel to a server's public listener.
pub(crate) async fn public_channel(server: &Server) -> Result<Channel> {
    let address = format!("http://{}", server.addresses().public);
    Ok(Endpoint::from_shared(address)?.connect().await?)
}

/// A request with the admin's token.
pub(crate) fn with_token<T>(message: T) -> Request<T> {
    with_token_of(TOKEN, message)
}

/// A request with somebody's token.
pub(crate) fn with_token_of<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("the token is ASCII");
    request.metadata_mut().insert("authorization", value);
    request
}

/// A box as seen from outside: a key, and maybe a certificate.
pub(crate) struct TestBox {
    pub(crate) key: KeyPair,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) device_id: String,
    pub(crate) address: SocketAddr,
}

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
    let check_bytes = claims::box_bytes(digest(&SHA256, &key.subject_public_key_info()).as_ref());
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
                let check_commitment = claims::sha256(&check_bytes).to_vec();
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

fn prove(prover: &KeyPair, key: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>> {
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

impl TestBox {
    /// Enrols by join token.
    pub(crate) async fn enroll(fixture: &Fixture, hostname: &str) -> Result<Self> {
        let token = fixture.join_token().await?;
        Self::enroll_by(fixture, &token, hostname).await
    }

    /// Enrols by a certain join token.
    pub(crate) async fn enroll_by(fixture: &Fixture, token: &str, hostname: &str) -> Result<Self> {
        let roots = learn_roots(fixture).await?;
        let key = KeyPair::generate()?;
        match enroll(fixture, &roots, &key, token, hostname, async |_| {}).await? {
            Answer::Issued(issued) => Ok(Self::from_issued(fixture, key, roots, issued)),
            other @ (Answer::Challenge(_) | Answer::Pending(_) | Answer::Refused(_)) => {
                anyhow::bail!("not issued: {other:?}")
            }
        }
    }

    pub(crate) fn from_issued(
        fixture: &Fixture,
        key: KeyPair,
        roots: Vec<CertificateDer<'static>>,
        issued: Issued,
    ) -> Self {
        let chain = issued.certificate_chain.into_iter().map(CertificateDer::from).collect();
        Self { key, roots, chain, device_id: issued.device_id, address: fixture.device_address() }
    }

    pub(crate) async fn channel(&self) -> Result<Channel> {
        device_channel(self.address, &self.roots, Some((self.chain.clone(), &self.key))).await
    }

    /// A channel over which the server may send only some bytes of a stream before the box reads them.
    pub(crate) async fn narrow_channel(&self, bytes: u32) -> Result<Channel> {
        let endpoint = Endpoint::from_static("http://localhost").initial_stream_window_size(bytes);
        let address = self.address;
        device_channel_by(
            endpoint,
            move || TcpStream::connect(address),
            &self.roots,
            Some((self.chain.clone(), &self.key)),
        )
        .await
    }

    /// Opens a link and says hello.
    pub(crate) async fn open(&self) -> Result<Session> {
        self.open_over(self.channel().await?).await
    }

    /// Opens a link over a channel.
    pub(crate) async fn open_over(&self, channel: Channel) -> Result<Session> {
        open_with(channel, hello()).await
    }

    /// Opens a link after another boot than usual.
    pub(crate) async fn open_after_boot(&self, boot_id: &str) -> Result<Session> {
        open_with(self.channel().await?, Hello { boot_id: boot_id.to_owned(), ..hello() }).await
    }

    /// Tries to open a link that must be refused.
    pub(crate) async fn refusal(&self) -> Result<Status> {
        refusal(self.channel().await?).await
    }
}

/// Opens a link with a hello.
pub(crate) async fn open_with(channel: Channel, hello: Hello) -> Result<Session> {
    let (say, outbound) = mpsc::channel(16);
    say.send(word(DeviceWord::Hello(Box::new(hello)))).await?;
    let opened = LinkServiceClient::new(channel).open_link(ReceiverStream::new(outbound)).await;
    let mut session = Session { say, hear: opened?.into_inner(), welcome: Welcome::default() };
    let ServerWord::Welcome(welcome) = session.next().await? else { anyhow::bail!("expected a welcome") };
    session.welcome = welcome;
    Ok(session)
}

/// Tries to open a link that must be refused.
pub(crate) async fn refusal(channel: Channel) -> Result<Status> {
    let (say, outbound) = mpsc::channel(16);
    say.send(word(DeviceWord::Hello(Box::new(hello())))).await?;
    match LinkServiceClient::new(channel).open_link(ReceiverStream::new(outbound)).await {
        Ok(_) => anyhow::bail!("the link was opened"),
        Err(status) => Ok(status),
    }
}

/// A live link.
pub(crate) struct Session {
    pub(crate) say: mpsc::Sender<DeviceMessage>,
    pub(crate) hear: Streaming<ServerMessage>,
    pub(crate) welcome: Welcome,
}

impl Session {
    pub(crate) async fn next(&mut self) -> Result<ServerWord> {
        let message = tokio::time::timeout(PATIENCE, self.hear.message()).await??.context("the stream ended")?;
        message.message.context("a message")
    }

    pub(crate) async fn send(&self, message: DeviceWord) -> Result<()> {
        Ok(self.say.send(word(message)).await?)
    }

    /// Waits until samples up to a sequence are acknowledged.
    pub(crate) async fn acknowledged(&mut self, sequence: u64) -> Result<()> {
        self.stored(ItemClass::Samples, sequence).await
    }

    /// Waits until items of a class up to a sequence are acknowledged.
    pub(crate) async fn stored(&mut self, item_class: ItemClass, sequence: u64) -> Result<()> {
        loop {
            if let ServerWord::Acknowledged(acknowledged) = self.next().await?
                && acknowledged.item_class() == item_class
                && acknowledged.sequence >= sequence
            {
                return Ok(());
            }
        }
    }

    /// Answers each heartbeat with one, so that the session lives while something else is done.
    pub(crate) async fn live_through<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                heard = self.next() => {
                    if matches!(heard?, ServerWord::Heartbeat(_)) {
                        self.send(DeviceWord::Heartbeat(Heartbeat { now_ms: 0 })).await?;
                    }
                }
            }
        }
    }

    /// Waits for the end of the session and answers why it ended.
    pub(crate) async fn end(&mut self) -> Result<Status> {
        loop {
            match tokio::time::timeout(PATIENCE, self.hear.message()).await? {
                Ok(Some(_)) => {}
                Ok(None) => anyhow::bail!("the stream ended without a reason"),
                Err(status) => return Ok(status),
            }
        }
    }
}

pub(crate) fn word(message: DeviceWord) -> DeviceMessage {
    DeviceMessage { message: Some(message) }
}

pub(crate) const SPOOL: [u8; 16] = [7; 16];

pub(crate) fn hello() -> Hello {
    Hello {
        protocol: 1,
        agent_version: "test".to_owned(),
        boot_id: "018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11".to_owned(),
        spools: vec![SpoolPosition {
            item_class: ItemClass::Samples.into(),
            spool_id: SPOOL.to_vec(),
            ..SpoolPosition::default()
        }],
        ..Hello::default()
    }
}

/// A batch of samples that are all well.
pub(crate) fn samples(first_sequence: u64, count: usize) -> SampleBatch {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let sample = Sample {
        sampled_at_ms: i64::try_from(now.as_millis()).unwrap_or(0),
        values: Some(SampleValues { metrics: vec![Metric::CpuBusyRatio.into()], values: vec![0.25] }),
        health: Some(Health { verdict: HealthVerdict::Ok.into(), reasons: Vec::new() }),
    };
    SampleBatch { spool_id: SPOOL.to_vec(), first_sequence, samples: vec![sample; count] }
}

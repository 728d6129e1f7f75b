//! The listener for boxes: an accept loop of its own.
//!
//! TLS 1.3 only, no resumption (rustls does not verify a client again on resumption), client certificates optional: what is
//! wrong with a peer is recorded and told, instead of failing the handshake without a word. A connection costs little before
//! it is known: handshakes in flight, strangers, and the connections of one device are bounded, in all and for each source,
//! and none stays that asks nothing.

use crate::authority::{Authority, AuthorityError, Credentials};
use crate::listen::accept::{InRoom, accept};
use crate::listen::activity::Activity;
use crate::listen::connection::ConnectionHandle;
use crate::listen::device_connections::{DeviceConnection, DeviceConnections};
use crate::listen::peer::{AnyClient, Peer, PeerConnection, PeerJudge, key_hash};
use crate::listen::proxied;
use crate::listen::source::limited_as;
use crate::listen::source_places::{SourcePlace, SourcePlaces, SourceShares};
use crate::listen::turns::{TurnLimits, Turns};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use futures_util::TryFutureExt;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use kaliun_types::reason::ReasonCode;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

/// Handshakes in flight. One costs about a millisecond of a core, so 256 are a quarter of a second of one core. A source has a
/// quarter of them, so that one which is slow on purpose does not keep the others out. An eighth of the room may wait at one address:
/// a fleet behind it that comes back together.
const HANDSHAKES: TurnLimits = TurnLimits { in_all: 256, for_each: 64, members_for_each: 1_024 };
/// The same where all seem to come from one place: no shares.
const HANDSHAKES_OF_ALL: TurnLimits = TurnLimits { in_all: 256, for_each: 256, members_for_each: ROOM };
/// Connections that wait for their handshake or are in it: descriptors and a task each. The kernel's queue takes the rest.
const ROOM: usize = 8_192;
/// A handshake takes one round trip; 10 s is patience for a line that loses packets.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a turn: what a box waits for its connection, and a little.
const TURN_TIMEOUT: Duration = Duration::from_secs(20);
/// Connections of peers without a valid certificate: each may hold an enrolment. 35 kB each, so 70 MB. Of one source: a factory behind one
/// address. Of one site: a home must not hold up all others, whatever it has of prefixes.
const STRANGERS: SourceShares = SourceShares { in_all: 2_000, for_source: 250, for_site: 500 };
/// A peer without a certificate may stay as long as a claim code works, and a little.
const STRANGER_LIFETIME: Duration = Duration::from_secs(20 * 60);
/// A stranger that asks nothing is sent away after this long.
const STRANGER_IDLE: Duration = Duration::from_secs(30);
/// Whoever has shaken hands asks for something within this time.
const FIRST_REQUEST: Duration = Duration::from_secs(15);
/// A device that asks nothing more is sent away after this long: its session is over, and the next one comes on another connection.
const DEVICE_IDLE: Duration = Duration::from_secs(30);
/// Streams on one connection: the link, a renewal to come, and room for a retry.
const STREAMS_MAX: u32 = 8;
/// Bytes that a device may send ahead on a stream and on a connection: two messages of the largest kind.
const WINDOW_BYTES: u32 = 64 * 1024;
/// Headers of our own clients take a few hundred bytes.
const HEADERS_MAX_BYTES: u32 = 8 * 1024;
/// Response bytes that may wait in one stream; a message is at most 32 kB.
const SEND_BUFFER_BYTES: usize = 32 * 1024;

/// The label of what a stranger proves itself by, as the contract says.
const RECOVERY_LABEL: &[u8] = b"EXPORTER-kaliun-recovery";

/// The listener could not be set up.
#[derive(Debug, Error)]
pub(crate) enum DeviceListenerError {
    /// The certificate could not be made.
    #[error("the device listener has no certificate")]
    Authority(#[from] AuthorityError),
    /// TLS refused the parameters.
    #[error("the device listener's TLS parameters do not fit")]
    Tls(#[from] rustls::Error),
    /// The authority's certificate is none.
    #[error("the authority's certificate cannot verify devices")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// TLS parameters that can be replaced while the listener runs.
pub(crate) struct DeviceTls {
    authority: Authority,
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<Secrets>>,
}

/// What a handshake is made with, and what judges it: always of the same moment.
struct Secrets {
    acceptor: TlsAcceptor,
    judge: PeerJudge,
}

impl DeviceTls {
    pub(crate) fn new(authority: Authority, names: Vec<String>) -> Result<Self, DeviceListenerError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let current = RwLock::new(Arc::new(Secrets::new(&authority, &authority.current(), &names, &provider)?));
        Ok(Self { authority, names, provider, current })
    }

    /// Takes over what changed of the authorities, here or at another replica. Answers whether something did.
    pub(crate) async fn refresh(&self) -> Result<bool, DeviceListenerError> {
        let Some(now) = self.authority.newer().await? else { return Ok(false) };
        // The listener first: whoever is told of the change finds that it holds.
        self.show(&now)?;
        self.authority.take_over(now);
        Ok(true)
    }

    /// Makes a new certificate for the listener, and believes whom the authority believes now. Connections keep what they have.
    pub(crate) fn renew(&self) -> Result<(), DeviceListenerError> {
        self.show(&self.authority.current())
    }

    fn show(&self, credentials: &Credentials) -> Result<(), DeviceListenerError> {
        let renewed = Arc::new(Secrets::new(&self.authority, credentials, &self.names, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    fn current(&self) -> Arc<Secrets> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Secrets {
    fn new(
        authority: &Authority,
        credentials: &Credentials,
        names: &[String],
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, DeviceListenerError> {
        let (chain, key) = credentials.issue_server(names, authority.now())?;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::new(AnyClient::new(provider)))
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoSessions);
        let judge = PeerJudge::new(credentials, Arc::clone(provider))?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), judge })
    }
}

/// Stores no TLS sessions: there is no resumption here.
#[derive(Debug)]
struct NoSessions;

impl rustls::server::StoresServerSessions for NoSessions {
    fn put(&self, _key: Vec<u8>, _value: Vec<u8>) -> bool {
        false
    }

    fn get(&self, _key: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, _key: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn can_cache(&self) -> bool {
        false
    }
}

/// What serves a connection.
pub(crate) struct DeviceListener {
    pub(crate) tls: Arc<DeviceTls>,
    pub(crate) routes: axum::Router,
    /// Load balancers that say where a box is.
    pub(crate) balancers: Vec<IpNet>,
    /// Whether sources have shares.
    pub(crate) sources_are_known: bool,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Arc<Metrics>,
}

/// What all connections share.
struct Shared {
    listener: DeviceListener,
    handshakes: Turns<IpAddr>,
    strangers: SourcePlaces,
    devices: DeviceConnections,
}

impl DeviceListener {
    /// Starts the accept loop.
    pub(crate) fn start(self, listener: TcpListener) {
        let tasks = self.tasks.clone();
        let handshakes = if self.sources_are_known { HANDSHAKES } else { HANDSHAKES_OF_ALL };
        let strangers = SourcePlaces::new(STRANGERS, self.sources_are_known);
        let shared = Arc::new(Shared {
            listener: self,
            handshakes: Turns::new(handshakes),
            strangers,
            devices: DeviceConnections::default(),
        });
        let serve = move |stream, source: SocketAddr, room| serve(Arc::clone(&shared), stream, source.ip(), room);
        tasks.spawn("device-listener", accept(listener, tasks.clone(), ROOM, serve));
    }
}

/// What a handshake gives: also where the peer is, which a balancer may have said.
type Secured = (Box<TlsStream<TcpStream>>, Peer, IpAddr);

async fn serve(shared: Arc<Shared>, stream: TcpStream, other_end: IpAddr, room: InRoom) {
    // Boxed, so that the connection's task does not keep room for it.
    let secured = Box::pin(secure(Arc::clone(&shared), stream, other_end)).await;
    drop(room);
    let Some((stream, peer, source)) = secured else { return };
    match peer {
        Peer::Device { device, .. } => {
            let handle = ConnectionHandle::new();
            let activity = Activity::new();
            match shared.devices.add(device, handle.clone(), activity.clone()) {
                Some(held) => {
                    let key_hash = key_hash(stream.get_ref().1.peer_certificates());
                    let connection = PeerConnection { peer, source, key_hash, connection: handle, exporter: None };
                    serve_device(shared, stream, connection, activity, held).await;
                }
                None => {
                    shared.listener.metrics.refuse(ReasonCode::LinkBusy);
                    tracing::warn!("too many connections of devices, one is closed");
                }
            }
        }
        Peer::Stranger(_) => match shared.strangers.take(source) {
            Some(place) => Box::pin(serve_stranger(shared, stream, peer, source, place)).await,
            None => {
                shared.listener.metrics.refuse(ReasonCode::EnrollmentBusy);
                tracing::debug!(%source, "too many strangers, this one is sent away");
            }
        },
    }
}

/// Finds out where the peer is, waits for a turn and shakes hands.
async fn secure(shared: Arc<Shared>, mut stream: TcpStream, other_end: IpAddr) -> Option<Secured> {
    let found = proxied::source(&mut stream, other_end, &shared.listener.balancers);
    let source = match tokio::time::timeout(HANDSHAKE_TIMEOUT, found).await {
        Ok(Ok(source)) => source,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::InvalidData => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(balancer = %other_end, error, "a listed balancer does not speak the PROXY protocol");
            return None;
        }
        // A balancer that only looks whether somebody is here.
        Ok(Err(_)) | Err(_) => return None,
    };
    let turn = tokio::time::timeout(TURN_TIMEOUT, shared.handshakes.take(limited_as(source))).await.ok().flatten();
    let Some(_turn) = turn else {
        shared.listener.metrics.refuse(ReasonCode::LinkBusy);
        tracing::debug!(%source, "too many handshakes of this source wait");
        return None;
    };
    let tls = shared.listener.tls.current();
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let peer = tls.judge.judge(stream.get_ref().1.peer_certificates(), shared.listener.tls.authority.now());
            Some((Box::new(stream), peer, source))
        }
        Ok(Err(error)) => {
            tracing::debug!(%source, error = &error as &dyn std::error::Error, "handshake failed");
            None
        }
        Err(_elapsed) => {
            tracing::debug!(%source, "handshake took too long");
            None
        }
    }
}

/// Serves a device for as long as it has something to ask, which its link is. The sweeper ends that when the certificate runs out.
async fn serve_device(
    shared: Arc<Shared>,
    stream: Box<TlsStream<TcpStream>>,
    connection: PeerConnection,
    activity: Activity,
    _held: DeviceConnection,
) {
    let handle = connection.connection.clone();
    let listener = &shared.listener;
    let (stopping, metrics) = (listener.tasks.stopping(), Arc::clone(&listener.metrics));
    let served = serve_http(stream, listener, connection, activity.clone());
    drop(shared);
    metrics.device_connections.inc();
    // Pinned here and lent to the wait below: moved into it, it would take its room in the task twice.
    let mut served = pin!(served);
    tokio::select! {
        result = &mut served => note_end(result),
        () = handle.is_cut() => {}
        () = activity.is_over(FIRST_REQUEST, DEVICE_IDLE) => {}
        () = stopping.cancelled() => {}
    }
    metrics.device_connections.dec();
}

/// Serves somebody without a valid certificate for a while.
async fn serve_stranger(
    shared: Arc<Shared>,
    stream: Box<TlsStream<TcpStream>>,
    peer: Peer,
    source: IpAddr,
    _place: SourcePlace,
) {
    let exporter = stream.get_ref().1.export_keying_material([0; 32], RECOVERY_LABEL, None).ok().map(Arc::new);
    let connection = PeerConnection { peer, source, key_hash: None, connection: ConnectionHandle::new(), exporter };
    let listener = &shared.listener;
    let stopping = listener.tasks.stopping();
    let activity = Activity::new();
    listener.metrics.device_connections.inc();
    tokio::select! {
        result = serve_http(stream, listener, connection, activity.clone()) => note_end(result),
        () = activity.is_over(FIRST_REQUEST, STRANGER_IDLE) => {}
        () = tokio::time::sleep(STRANGER_LIFETIME) => {}
        () = stopping.cancelled() => {}
    }
    listener.metrics.device_connections.dec();
}

fn note_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(error = &error as &dyn std::error::Error, "device connection broke");
    }
}

fn serve_http(
    stream: Box<TlsStream<TcpStream>>,
    listener: &DeviceListener,
    connection: PeerConnection,
    activity: Activity,
) -> impl Future<Output = hyper::Result<()>> + use<> {
    let routes = listener.routes.clone();
    let answer = move |mut request: Request<Incoming>| {
        let under_way = activity.begin();
        request.extensions_mut().insert(connection.clone());
        routes.clone().oneshot(request).map_ok(|response| under_way.until_sent(response))
    };
    hyper::server::conn::http2::Builder::new(listener.tasks.clone())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(HEADERS_MAX_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer))
}

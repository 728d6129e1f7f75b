//! The listener for boxes: an accept loop of its own.
//!
//! TLS 1.3 only, no resumption (rustls does not verify a client again on resumption), client certificates optional: what is
//! wrong with a peer is recorded and told, instead of failing the handshake without a word. A connection costs little before
//! it is known: handshakes in flight, connections in all, and the life of a stranger's connection are bounded.

use crate::authority::{Authority, AuthorityError};
use crate::clock;
use crate::listen::connection::ConnectionHandle;
use crate::listen::peer::{AnyClient, Peer, PeerConnection, PeerJudge};
use crate::metrics::Metrics;
use crate::tasks::Tasks;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

/// Handshakes in flight. One costs about a millisecond of a core, so 256 are a quarter of a second of one core.
const HANDSHAKES_MAX: usize = 256;
/// A handshake takes one round trip; 10 s is patience for a line that loses packets.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer without a certificate may stay as long as a claim code works, and a little.
const STRANGER_LIFETIME: Duration = Duration::from_secs(20 * 60);
/// Connections of peers without a certificate: each may hold an enrolment.
const STRANGERS_MAX: usize = 2_000;
/// Streams on one connection: the link, a renewal to come, and room for a retry.
const STREAMS_MAX: u32 = 8;
/// Bytes that a device may send ahead on a stream and on a connection: two messages of the largest kind.
const WINDOW_BYTES: u32 = 64 * 1024;
/// Headers of our own clients take a few hundred bytes.
const HEADERS_MAX_BYTES: u32 = 8 * 1024;
/// Response bytes that may wait in one stream; a message is at most 32 kB.
const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Pause after the operating system refused a connection, for want of descriptors mostly.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

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
    authority: Arc<Authority>,
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
    judge: PeerJudge,
    current: RwLock<Arc<ServerConfig>>,
}

impl DeviceTls {
    pub(crate) fn new(authority: Arc<Authority>, names: Vec<String>) -> Result<Self, DeviceListenerError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let judge = PeerJudge::new(&[authority.certificate().clone()], Arc::clone(&provider))?;
        let current = RwLock::new(server_config(&authority, &names, &provider)?);
        Ok(Self { authority, names, provider, judge, current })
    }

    /// Makes a new certificate for the listener. Connections keep theirs.
    pub(crate) fn renew(&self) -> Result<(), DeviceListenerError> {
        let renewed = server_config(&self.authority, &self.names, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn server_config(
    authority: &Authority,
    names: &[String],
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, DeviceListenerError> {
    let (chain, key) = authority.issue_server(names, clock::now())?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyClient::new(provider)))
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoSessions);
    Ok(Arc::new(config))
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
    pub(crate) tasks: Tasks,
    pub(crate) metrics: Arc<Metrics>,
}

impl DeviceListener {
    /// Starts the accept loop.
    pub(crate) fn start(self, listener: TcpListener) {
        let tasks = self.tasks.clone();
        tasks.spawn("device-listener", self.accept(listener));
    }

    async fn accept(self, listener: TcpListener) {
        let stopping = self.tasks.stopping();
        let this = Arc::new(self);
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
        loop {
            // Waiting for a place first lets the rest queue in the kernel, where it costs least.
            let Ok(place) = Arc::clone(&handshakes).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stopping.cancelled() => return,
            };
            let (stream, source) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "connection could not be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let connection = Connection { listener: Arc::clone(&this), strangers: Arc::clone(&strangers), source };
            this.tasks.spawn_small(async move {
                // Boxed, so that the connection's task does not keep room for it.
                let handshake = Box::pin(handshake(Arc::clone(&connection.listener), stream, source));
                let Some((stream, peer)) = handshake.await else { return };
                drop(place);
                connection.serve(stream, peer).await;
            });
        }
    }
}

struct Connection {
    listener: Arc<DeviceListener>,
    strangers: Arc<Semaphore>,
    source: SocketAddr,
}

/// What a handshake gives.
type Secured = (Box<TlsStream<TcpStream>>, Peer);

async fn handshake(listener: Arc<DeviceListener>, stream: TcpStream, source: SocketAddr) -> Option<Secured> {
    // Small messages must not wait for each other.
    let _best_effort = stream.set_nodelay(true);
    let tls = &listener.tls;
    let accepted = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.acceptor().accept(stream)).await;
    match accepted {
        Ok(Ok(stream)) => {
            let peer = tls.judge.judge(stream.get_ref().1.peer_certificates(), clock::now());
            Some((Box::new(stream), peer))
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

impl Connection {
    async fn serve(self, stream: Box<TlsStream<TcpStream>>, peer: Peer) {
        let _place = match peer {
            Peer::Device { .. } => None,
            Peer::Stranger(_) => match Arc::clone(&self.strangers).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_full) => return,
            },
        };
        let handle = ConnectionHandle::new();
        let connection = PeerConnection { peer, source: canonical(self.source.ip()), connection: handle.clone() };
        let metrics = Arc::clone(&self.listener.metrics);
        metrics.device_connections.inc();
        // Pinned here and lent to the wait below: moved into it, it would take its room in the task twice.
        let mut served =
            pin!(serve_http(stream, self.listener.routes.clone(), connection, self.listener.tasks.clone()));
        let lifetime = match peer {
            // Its sessions are ended by the sweeper when its certificate runs out.
            Peer::Device { .. } => Duration::MAX,
            Peer::Stranger(_) => STRANGER_LIFETIME,
        };
        // Drops our copy of the listener before the long wait.
        let stopping = self.listener.tasks.stopping();
        drop(self);
        tokio::select! {
            result = &mut served => {
                if let Err(error) = result {
                    tracing::debug!(error = &error as &dyn std::error::Error, "device connection broke");
                }
            }
            () = handle.is_cut() => {}
            () = stopping.cancelled() => {}
            () = sleep(lifetime) => {}
        }
        metrics.device_connections.dec();
    }
}

/// A time that never comes for the longest duration.
async fn sleep(duration: Duration) {
    if duration == Duration::MAX {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(duration).await;
}

fn serve_http(
    stream: Box<TlsStream<TcpStream>>,
    routes: axum::Router,
    connection: PeerConnection,
    tasks: Tasks,
) -> impl Future<Output = hyper::Result<()>> {
    let service = hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(connection.clone());
        routes.clone().oneshot(request)
    });
    hyper::server::conn::http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(HEADERS_MAX_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
}

/// An IPv4 address that came over an IPv6 socket as itself.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Opens a listener with a queue that takes a whole fleet coming back.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    /// Connections that wait in the kernel; it takes less where net.core.somaxconn says so.
    const BACKLOG: u32 = 4096;
    socket.listen(BACKLOG)
}

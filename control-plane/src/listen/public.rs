//! The listener for people and programs: gRPC, gRPC-Web and the web UI on one address.

use crate::grpc::auth::{FromOurPages, PublicGate, Source, public_gate};
use crate::listen::device::canonical;
use crate::tasks::Tasks;
use crate::web;
use axum::body::Body;
use http::{HeaderMap, Request, Response, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt};

/// Connections at once. A browser has six, a program one.
const CONNECTIONS_MAX: usize = 4_096;
/// A handshake, and the header of a request, take this long at most.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers of browsers with many cookies.
const HEADERS_MAX_BYTES: u32 = 32 * 1024;
/// Calls at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// Pause after the operating system refused a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// The certificate for the public address does not serve.
#[derive(Debug, Error)]
pub enum PublicTlsError {
    /// A file cannot be read as PEM.
    #[error("{} cannot be read as PEM: {message}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// Certificate and key do not fit.
    #[error("the public certificate and key do not fit together")]
    Tls(#[from] rustls::Error),
}

/// Reads certificate and key.
pub(crate) fn tls_config(cert: &PathBuf, key: &PathBuf) -> Result<Arc<ServerConfig>, PublicTlsError> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let wrong = |path: &PathBuf, error: rustls::pki_types::pem::Error| PublicTlsError::File {
        path: path.clone(),
        message: error.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(cert, error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What serves people and programs.
pub(crate) struct PublicListener {
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// The gRPC services, without the check.
    pub(crate) services: axum::Router,
    pub(crate) gate: Arc<PublicGate>,
    /// Origins of our own pages.
    pub(crate) origins: Vec<String>,
    pub(crate) tasks: Tasks,
}

/// What each connection needs.
struct Shared {
    grpc: axum::Router,
    origins: Vec<String>,
    secure: bool,
}

impl PublicListener {
    /// Starts the accept loop.
    pub(crate) fn start(self, listener: TcpListener) {
        let gate = axum::middleware::from_fn_with_state(self.gate, public_gate);
        let shared =
            Arc::new(Shared { grpc: self.services.layer(gate), origins: self.origins, secure: self.tls.is_some() });
        let acceptor = self.tls.map(TlsAcceptor::from);
        let tasks = self.tasks.clone();
        self.tasks.spawn("public-listener", accept(listener, acceptor, shared, tasks));
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, shared: Arc<Shared>, tasks: Tasks) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let stopping = tasks.stopping();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
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
        let connection = serve(stream, source, acceptor.clone(), Arc::clone(&shared), tasks.clone());
        tasks.spawn_small(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%source, error = &*error as &dyn std::error::Error, "public connection broke");
            }
            drop(place);
        });
    }
}

async fn serve(
    stream: TcpStream,
    source: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    tasks: Tasks,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let _best_effort = stream.set_nodelay(true);
    match acceptor {
        None => serve_http(stream, source, shared, tasks).await,
        Some(acceptor) => {
            let stream = tokio::time::timeout(HEADER_TIMEOUT, acceptor.accept(stream))
                .await
                .map_err(|_elapsed| io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long"))??;
            serve_http(stream, source, shared, tasks).await
        }
    }
}

async fn serve_http<S>(
    stream: S,
    source: SocketAddr,
    shared: Arc<Shared>,
    tasks: Tasks,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stopping = tasks.stopping();
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, std::convert::Infallible>(dispatch(&shared, source, request).await) }
    });
    let mut builder = hyper_util::server::conn::auto::Builder::new(tasks);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX_BYTES)
        .keep_alive_interval(Duration::from_secs(30));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        result = connection => result,
        () = stopping.cancelled() => Ok(()),
    }
}

/// gRPC in both forms goes to the services, everything else to the web UI.
async fn dispatch(shared: &Shared, source: SocketAddr, mut request: Request<hyper::body::Incoming>) -> Response<Body> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !content_type.starts_with("application/grpc") {
        return web::serve(request.method(), request.uri().path(), request.headers(), shared.secure);
    }
    if content_type.starts_with("application/grpc-web") && is_from_our_pages(request.headers(), &shared.origins) {
        request.extensions_mut().insert(FromOurPages);
    }
    request.extensions_mut().insert(Source(canonical(source.ip())));
    let service = GrpcWebLayer::new().layer(shared.grpc.clone());
    match service.oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(infallible) => match infallible {},
    }
}

/// Whether a request comes from a page of this server: its origin is ours to the letter, and the browser calls it
/// same-origin where it says so at all.
fn is_from_our_pages(headers: &HeaderMap, origins: &[String]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin_is_ours = text("origin").is_some_and(|origin| origins.iter().any(|ours| ours == origin));
    origin_is_ours && text("sec-fetch-site").is_none_or(|site| site == "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&'static str, &str)], expected: bool) {
        let headers: HeaderMap =
            pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        assert_eq!(is_from_our_pages(&headers, &["http://127.0.0.1:8080".to_owned()]), expected, "{pairs:?}");
    }

    #[test]
    fn only_our_own_pages_count() {
        check(&[], false);
        check(&[("origin", "http://127.0.0.1:8080")], true);
        check(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")], true);
        check(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-site")], false);
        check(&[("origin", "http://127.0.0.1:8080.evil.example")], false);
        check(&[("origin", "null")], false);
    }
}

//! The listener for people and programs: gRPC, gRPC-Web and the web UI on one address.

use crate::grpc::auth::{FromOurPages, PublicGate, Source, public_gate, request_id, with_request_id};
use crate::listen::accept::{InRoom, accept};
use crate::listen::forwarded;
use crate::listen::http::Broken;
use crate::listen::places::Places;
use crate::listen::source::{canonical, limited_as};
use crate::sign_in::ProviderSignIn;
use crate::tasks::Tasks;
use crate::web;
use axum::body::Body;
use http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;
use ipnet::IpNet;
use rustls::ServerConfig;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tonic_web::GrpcWebLayer;
use tower::{Layer, ServiceExt};

/// Connections at once. A browser has six, a program one.
const CONNECTIONS_MAX: usize = 4_096;
/// Of one source: an office behind one address.
const CONNECTIONS_FOR_EACH: u32 = 256;
/// A handshake takes this long at most.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

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
        .with_protocol_versions(&[&rustls::version::TLS13])?
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
    /// Sends people to identity providers and takes them back.
    pub(crate) sign_in: Arc<ProviderSignIn>,
    /// Origins of our own pages.
    pub(crate) origins: Vec<String>,
    /// Whether it is known where somebody is: not behind a proxy that does not say. Then sources are not limited.
    pub(crate) sources_are_known: bool,
    /// Proxies that say it.
    pub(crate) proxies: Vec<IpNet>,
    pub(crate) tasks: Tasks,
}

/// What all connections share.
struct Shared {
    acceptor: Option<TlsAcceptor>,
    /// Whether people come over TLS: ours, or that of a proxy in front.
    is_secure: bool,
    grpc: axum::Router,
    sign_in: Arc<ProviderSignIn>,
    origins: Vec<String>,
    sources_are_known: bool,
    proxies: Vec<IpNet>,
    /// Said once, not with each request.
    said_nowhere: AtomicBool,
    places: Places<IpAddr>,
    tasks: Tasks,
}

impl PublicListener {
    /// Starts the accept loop.
    pub(crate) fn start(self, listener: TcpListener) {
        let gate = axum::middleware::from_fn_with_state(self.gate, public_gate);
        let tasks = self.tasks.clone();
        let is_secure = self.tls.is_some() || self.origins.iter().all(|origin| origin.starts_with("https://"));
        let shared = Arc::new(Shared {
            is_secure,
            acceptor: self.tls.map(TlsAcceptor::from),
            grpc: self.services.layer(gate),
            sign_in: self.sign_in,
            origins: self.origins,
            sources_are_known: self.sources_are_known,
            proxies: self.proxies,
            said_nowhere: AtomicBool::new(false),
            places: Places::new(CONNECTIONS_MAX, CONNECTIONS_FOR_EACH),
            tasks: self.tasks,
        });
        let serve = move |stream, source: SocketAddr, room: InRoom| {
            let shared = Arc::clone(&shared);
            async move {
                if let Err(error) = serve(shared, stream, source).await {
                    tracing::debug!(%source, error = &*error as &dyn std::error::Error, "public connection broke");
                }
                drop(room);
            }
        };
        tasks.spawn("public-listener", accept(listener, tasks.clone(), CONNECTIONS_MAX, serve));
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, source: SocketAddr) -> Result<(), Broken> {
    let other_end = canonical(source.ip());
    // Many people come over the connections of a proxy; how many there are in all is bounded where they are taken.
    let is_proxy = !shared.sources_are_known || shared.proxies.iter().any(|network| network.contains(&other_end));
    let place = if is_proxy { None } else { shared.places.take(limited_as(other_end)) };
    if place.is_none() && !is_proxy {
        return Err(io::Error::other("too many connections of this source").into());
    }
    let (acceptor, tasks) = (shared.acceptor.clone(), shared.tasks.clone());
    let answer = move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move {
            let source = match shared.sources_are_known {
                true => forwarded::source(request.headers(), other_end, &shared.proxies).map(Source),
                false => None,
            };
            if source.is_none() && shared.sources_are_known && !shared.said_nowhere.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    proxy = %other_end,
                    "a proxy of public_proxies does not say in X-Forwarded-For whom it talks to: nothing is limited by source for them"
                );
            }
            dispatch(&shared, source, request).await
        }
    };
    match acceptor {
        None => crate::listen::http::serve(stream, tasks, answer).await,
        Some(acceptor) => {
            let stream = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream))
                .await
                .map_err(|_elapsed| io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long"))??;
            crate::listen::http::serve(stream, tasks, answer).await
        }
    }
}

/// gRPC in both forms goes to the services, everything else to the web UI, but for signing in through a provider.
async fn dispatch(shared: &Shared, source: Option<Source>, mut request: Request<Incoming>) -> Response<Body> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !content_type.starts_with("application/grpc") {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let signing_in = shared.sign_in.serve(method, uri, headers, source, shared.is_secure).await;
        let mut response = signing_in.unwrap_or_else(|| web::serve(method, uri.path(), headers, shared.is_secure));
        with_request_id(response.headers_mut(), &request_id());
        return response;
    }
    if content_type.starts_with("application/grpc-web") && is_from_our_pages(request.headers(), &shared.origins) {
        request.extensions_mut().insert(FromOurPages);
    }
    if let Some(source) = source {
        request.extensions_mut().insert(source);
    }
    let service = GrpcWebLayer::new().layer(shared.grpc.clone());
    match service.oneshot(request).await {
        Ok(mut response) => {
            if shared.is_secure {
                response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, web::STRICT_TRANSPORT_SECURITY);
            }
            response.map(Body::new)
        }
        Err(infallible) => match infallible {},
    }
}

/// Whether a request comes from a page of this server: its origin is ours to the letter, and the browser calls it same-origin.
/// Browsers say that (Fetch Metadata) to every server on TLS and on loopback, and pages of this server come from nowhere else: with a
/// proxy in front, TLS is the proxy's.
fn is_from_our_pages(headers: &HeaderMap, origins: &[String]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin_is_ours = text("origin").is_some_and(|origin| origins.iter().any(|ours| ours == origin));
    origin_is_ours && text("sec-fetch-site") == Some("same-origin")
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
        check(&[("origin", "http://127.0.0.1:8080")], false);
        check(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")], true);
        check(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-site")], false);
        check(&[("origin", "http://127.0.0.1:8080.evil.example"), ("sec-fetch-site", "same-origin")], false);
        check(&[("origin", "null"), ("sec-fetch-site", "same-origin")], false);
    }
}

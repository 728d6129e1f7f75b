//! The one way out to identity providers: HTTPS with bounds, and nothing that follows where a stranger points.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One request, from the name's look-up to the answer's last byte. Somebody waits before a white page meanwhile.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer, bytes. Google's discovery has 1 kB, its keys 2 kB; a token with several hundred groups some 30 kB.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// Longest head of an answer, bytes.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Who asks. GitHub refuses those who do not say.
const USER_AGENT: &str = "kaliun-fleet";

/// Asks over HTTP. Each request has a connection of its own: sign-ins are rare, and a connection that waits would be somebody's task.
#[derive(Debug, Clone)]
pub(crate) struct Outward {
    tls: Arc<ClientConfig>,
}

/// A file with certificate authorities does not serve.
#[derive(Debug, Error)]
#[error("{} holds no certificate authorities as PEM: {problem}", path.display())]
pub struct InvalidAuthorities {
    path: PathBuf,
    problem: String,
}

/// A request had no answer.
#[derive(Debug, Error)]
pub enum OutwardError {
    /// An address that nothing secret may be sent to.
    #[error("{0} is neither https nor on this machine")]
    NotSecure(String),
    /// An address that names no server.
    #[error("{0} names no server")]
    NoHost(String),
    /// The server's name cannot be one.
    #[error("{host} is no name for TLS")]
    Name {
        /// The name.
        host: String,
        /// Why.
        source: InvalidDnsNameError,
    },
    /// No connection, or none that TLS trusts.
    #[error("{host} cannot be connected to")]
    Connect {
        /// The server.
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, or what came was no HTTP.
    #[error("the connection to {host} broke")]
    Broken {
        /// The server.
        host: String,
        /// Why.
        source: hyper::Error,
    },
    /// The server is out of order, or overrun.
    #[error("{host} answered {status}")]
    OutOfOrder {
        /// The server.
        host: String,
        /// What it said.
        status: StatusCode,
    },
    /// The answer is too long.
    #[error("{host} answered more than {BODY_MAX_BYTES} bytes")]
    TooLong {
        /// The server.
        host: String,
    },
    /// The answer broke off.
    #[error("the answer of {host} broke off")]
    BrokeOff {
        /// The server.
        host: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("{host} did not answer within {} s", TIMEOUT.as_secs())]
    Silent {
        /// The server.
        host: String,
    },
}

/// A byte stream, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Outward {
    /// Believes the machine's own authorities, and those in a file beside them.
    ///
    /// # Errors
    /// The file holds none.
    pub(crate) fn new(ca: Option<&Path>) -> Result<Self, InvalidAuthorities> {
        let mut roots = RootCertStore::empty();
        // A machine's store may hold certificates that rustls does not take; the others still serve.
        let _rejected = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = ca {
            add_authorities(&mut roots, path)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // Some companies' providers have no newer than 1.2.
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        let tls = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("the provider has ciphers for both versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls) })
    }

    /// Asks, and answers what came, be it a refusal. Redirects are not followed: no endpoint that a program asks has a reason to redirect.
    pub(crate) async fn fetch(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutwardError> {
        let target = Target::of(request.uri())?;
        let host = target.host.clone();
        match tokio::time::timeout(TIMEOUT, self.exchange(target, request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(OutwardError::Silent { host }),
        }
    }

    async fn exchange(&self, target: Target, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutwardError> {
        let host = target.host.clone();
        let broken = |source| OutwardError::Broken { host: host.clone(), source };
        let wire = self.connect(&target).await?;
        let (mut sender, connection) =
            http1::Builder::new().max_buf_size(HEAD_MAX_BYTES).handshake(TokioIo::new(wire)).await.map_err(broken)?;
        let request = addressed(request, &target);
        let answered = async {
            let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
            if head.status.is_server_error() || head.status == StatusCode::TOO_MANY_REQUESTS {
                return Err(OutwardError::OutOfOrder { host: host.clone(), status: head.status });
            }
            let body = Limited::new(body, BODY_MAX_BYTES).collect().await.map_err(|source| {
                if source.is::<LengthLimitError>() {
                    OutwardError::TooLong { host: host.clone() }
                } else {
                    OutwardError::BrokeOff { host: host.clone(), source }
                }
            })?;
            Ok(Response::from_parts(head, body.to_bytes().to_vec()))
        };
        // The connection moves only while it is polled beside the request. One that has ended may have left the whole answer.
        let mut answered = pin!(answered);
        tokio::select! {
            answer = &mut answered => return answer,
            _ended = connection => {}
        }
        answered.await
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Wire>, OutwardError> {
        let failed = |source| OutwardError::Connect { host: target.host.clone(), source };
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        if !target.tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|source| OutwardError::Name { host: target.host.clone(), source })?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.map_err(failed)?;
        Ok(Box::new(stream))
    }
}

fn add_authorities(roots: &mut RootCertStore, path: &Path) -> Result<(), InvalidAuthorities> {
    let invalid = |problem: String| InvalidAuthorities { path: path.to_owned(), problem };
    let mut count = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| invalid(error.to_string()))? {
        let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
        roots.add(certificate).map_err(|error| invalid(error.to_string()))?;
        count += 1;
    }
    if count == 0 { Err(invalid("there is none in it".to_owned())) } else { Ok(()) }
}

/// Lets openidconnect ask this way.
impl<'c> openidconnect::AsyncHttpClient<'c> for Outward {
    type Error = OutwardError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, OutwardError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.fetch(request))
    }
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    tls: bool,
    host: String,
    port: u16,
    /// Host and port as they stood in the address.
    authority: String,
}

impl Target {
    fn of(uri: &Uri) -> Result<Self, OutwardError> {
        let (Some(authority), Some(host)) = (uri.authority(), host_of(uri)) else {
            return Err(OutwardError::NoHost(uri.to_string()));
        };
        if !is_secure(uri) {
            return Err(OutwardError::NotSecure(format!("{}://{host}", uri.scheme_str().unwrap_or_default())));
        }
        let tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        // Without what may stand before an @: it is not the server's business.
        let authority = authority.as_str().rsplit('@').next().unwrap_or_default().to_owned();
        Ok(Self { tls, host: host.to_owned(), port, authority })
    }
}

/// The host of an address, without brackets.
fn host_of(uri: &Uri) -> Option<&str> {
    uri.host().map(|host| host.trim_start_matches('[').trim_end_matches(']')).filter(|host| !host.is_empty())
}

/// Whether secrets may be sent to an address: over TLS, or without leaving this machine.
pub(crate) fn is_secure(uri: &Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => host_of(uri).is_some_and(|host| {
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }),
        Some(_) | None => false,
    }
}

/// The request as it goes over a connection of its own.
fn addressed(request: Request<Vec<u8>>, target: &Target) -> Request<Full<Bytes>> {
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // A path of a valid address is a valid address.
    let path: Uri = path.parse().unwrap_or_default();
    *request.uri_mut() = path;
    let headers = request.headers_mut();
    if let Ok(host) = target.authority.parse() {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT));
    headers.insert(header::CONNECTION, http::HeaderValue::from_static("close"));
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_over_tls_or_stay_on_this_machine() {
        let check = |uri: &str, expected: bool| assert_eq!(is_secure(&uri.parse().unwrap()), expected, "{uri}");
        check("https://accounts.example.org", true);
        check("http://accounts.example.org", false);
        check("http://127.0.0.1:3000/path", true);
        check("http://[::1]:3000", true);
        check("http://localhost:3000", true);
        check("http://localhost.example.org", false);
        check("http://127.0.0.1.example.org", false);
        check("http://10.0.0.1", false);
        check("ftp://localhost", false);
        check("/path", false);
    }

    #[test]
    fn a_request_goes_where_its_address_says() {
        let check = |uri: &str, tls: bool, host: &str, port: u16, authority: &str| {
            let expected = Target { tls, host: host.to_owned(), port, authority: authority.to_owned() };
            assert_eq!(Target::of(&uri.parse().unwrap()).unwrap(), expected, "{uri}");
        };
        check("https://a.example.org/x?y", true, "a.example.org", 443, "a.example.org");
        check("https://a.example.org:8443", true, "a.example.org", 8443, "a.example.org:8443");
        check("https://user:word@a.example.org", true, "a.example.org", 443, "a.example.org");
        check("http://[::1]:3000/", false, "::1", 3000, "[::1]:3000");
        assert!(matches!(Target::of(&Uri::from_static("/x")), Err(OutwardError::NoHost(_))));
        let refused = Target::of(&Uri::from_static("http://user:word@a.example.org/?code=x")).unwrap_err();
        assert_eq!(refused.to_string(), "http://a.example.org is neither https nor on this machine");
    }

    #[test]
    fn a_request_has_its_path_and_its_host() {
        let uri = "https://a.example.org:8443/token?x=y";
        let request = Request::post(uri).body(b"code=z".to_vec()).unwrap();
        let request = addressed(request, &Target::of(&uri.parse().unwrap()).unwrap());
        assert_eq!(request.uri(), "/token?x=y");
        assert_eq!(request.headers()["host"], "a.example.org:8443");
    }
}

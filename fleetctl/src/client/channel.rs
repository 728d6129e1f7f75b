//! The connection itself: TCP, and TLS for https.

use crate::failure::{Failure, Kind};
use crate::settings::{Server, Settings};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

/// A silent peer is asked whether it still lives after this long, so that a watch notices a dead network.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A byte stream, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Connects within the time limit.
pub(super) async fn connect(settings: &Settings) -> Result<Channel, Failure> {
    let server = settings.server.clone();
    let tls = if server.tls { Some(tls_config(settings.ca.as_deref())?) } else { None };
    // The wire below speaks TLS by itself, so the transport is told of plain HTTP; the origin says what is true.
    let endpoint = Endpoint::from_shared(format!("http://{}", authority(&server)))
        .map_err(|error| unreachable_server(&server, &error))?
        .origin(server.uri().clone())
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    let connector = tower::service_fn({
        let server = server.clone();
        move |_: Uri| wire(server.clone(), tls.clone())
    });
    match tokio::time::timeout(settings.timeout, endpoint.connect_with_connector(connector)).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(unreachable_server(&server, &error)),
        Err(_) => Err(Failure::new(
            Kind::Timeout,
            format!("{server} does not answer within {:?}", settings.timeout),
            "check the address and the network, or allow more time with --timeout",
        )),
    }
}

async fn wire(server: Server, tls: Option<Arc<ClientConfig>>) -> Result<TokioIo<Box<dyn Wire>>, std::io::Error> {
    let stream = TcpStream::connect((server.host.as_str(), server.port)).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(TokioIo::new(Box::new(stream))) };
    let name = ServerName::try_from(server.host).map_err(std::io::Error::other)?;
    Ok(TokioIo::new(Box::new(TlsConnector::from(tls).connect(name, stream).await?)))
}

/// Who is believed: the authorities in a file and nobody else, or those that the machine believes. Only https pays for this.
fn roots(ca: Option<&Path>) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        // A machine's store may hold certificates that rustls does not take; the others still serve.
        let _rejected = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    let unusable = |problem: String| {
        Failure::new(
            Kind::General,
            format!("cannot use the certificate authorities in {}: {problem}", path.display()),
            "give a PEM file with at least one certificate to --ca or FLEETCTL_CA",
        )
    };
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is none in it".to_owned()));
    }
    Ok(roots)
}

fn tls_config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, Failure> {
    let roots = roots(ca)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(Kind::General, format!("cannot set up TLS: {error}"), "report this"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

fn authority(server: &Server) -> String {
    if server.host.contains(':') {
        format!("[{}]:{}", server.host, server.port)
    } else {
        format!("{}:{}", server.host, server.port)
    }
}

/// Says why there is no connection, by the innermost cause, which is the one a person can act on.
fn unreachable_server(server: &Server, error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut cause = error;
    let mut certificate = false;
    loop {
        certificate |= cause.downcast_ref::<rustls::Error>().is_some();
        // An io::Error does not name what it wraps as its source.
        let inner = cause.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        match inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| cause.source()) {
            Some(source) => cause = source,
            None => break,
        }
    }
    let hint = if certificate {
        "give its certificate authority with --ca FILE or FLEETCTL_CA"
    } else {
        "check the address, and that the control plane runs there"
    };
    Failure::new(Kind::General, format!("cannot reach {server}: {cause}"), hint)
}

//! One HTTP/2 connection over our own TLS, as a service for the generated clients.

use crate::client_tls::ClientTls;
use crate::dialer::Dialer;
use crate::facts::clip;
use crate::identity::{SigningError, own_failure};
use crate::link::transport::with_sources;
use crate::server_address::ServerAddress;
use crate::tasks::Tasks;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::TokioIo;
use kaliun_types::limits::REASON_MESSAGE_MAX_BYTES;
use rustls::CertificateError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;

/// Longest time for name resolution, TCP and TLS together: a mobile uplink with 2 s round trips needs about 8.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// HTTP/2 windows: two link messages. More would only be buffered by whoever is slow.
const WINDOW_BYTES: u32 = 64 * 1024;
/// Bytes of messages that HTTP/2 takes in before the socket takes them: one link message, for a heartbeat has to wait for
/// everything in here.
const SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Largest set of response headers, bytes: a status message with its reason takes some hundred.
const HEADERS_MAX_BYTES: u32 = 8 * 1024;

/// The label of the exporter, as the contract says.
const RECOVERY_LABEL: &[u8] = b"EXPORTER-kaliun-recovery";

/// A connection that its owner keeps; dropping it closes the socket.
pub struct Connection {
    sender: http2::SendRequest<tonic::body::Body>,
    origin: Uri,
    exporter: [u8; 32],
    _tasks: Tasks,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// The connection did not come about.
#[derive(Debug, Error)]
pub enum DialError {
    /// No such host, or nobody listens there.
    #[error("cannot reach {address}")]
    Unreachable {
        /// Where to.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// TLS failed.
    #[error("cannot secure the connection to {address}")]
    Tls {
        /// Where to.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// HTTP/2 failed.
    #[error("cannot speak HTTP/2 with {address}")]
    Http2 {
        /// Where to.
        address: String,
        /// Why.
        source: hyper::Error,
    },
    /// It took too long.
    #[error("{address} did not answer within {} s", DIAL_TIMEOUT.as_secs())]
    TimedOut {
        /// Where to.
        address: String,
    },
}

/// Why a server that is there is not taken for the box's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerProblem {
    /// No authority that the box believes vouches for it.
    Untrusted,
    /// Its certificate is not valid at the time that the box goes by. Whose it is was not looked at then.
    NotValidNow {
        /// That time. Milliseconds since the Unix epoch.
        at_ms: i64,
    },
}

impl DialError {
    /// What is wrong with the server, where that is why.
    #[must_use]
    pub fn server_problem(&self) -> Option<ServerProblem> {
        let rustls::Error::InvalidCertificate(problem) = self.tls_error()? else {
            return None;
        };
        if let CertificateError::ExpiredContext { time, .. } | CertificateError::NotValidYetContext { time, .. } =
            problem
        {
            let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            return Some(ServerProblem::NotValidNow { at_ms: seconds.saturating_mul(1_000) });
        }
        Some(ServerProblem::Untrusted)
    }

    /// Whether the other side is there but is not who the box trusts.
    #[must_use]
    pub fn is_untrusted_server(&self) -> bool {
        self.server_problem().is_some()
    }

    /// What the box's own key said, where it was the key that failed.
    #[must_use]
    pub fn own_failure(&self) -> Option<&SigningError> {
        own_failure(self.tls_error()?)
    }

    fn tls_error(&self) -> Option<&rustls::Error> {
        let Self::Tls { source, .. } = self else { return None };
        source.get_ref()?.downcast_ref()
    }

    /// What went wrong, for a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        let sentence = match self.server_problem() {
            Some(ServerProblem::NotValidNow { at_ms }) => format!(
                "This box's clock says {}, or it was told so; whoever answers shows a certificate that is not valid at that time.",
                utc(at_ms)
            ),
            Some(ServerProblem::Untrusted) | None => with_sources(self),
        };
        clip(&sentence, REASON_MESSAGE_MAX_BYTES).to_owned()
    }
}

/// A time as a person reads it.
fn utc(at_ms: i64) -> String {
    x509_parser::time::ASN1Time::from_timestamp(at_ms / 1_000)
        .map_or_else(|_| "a time that no calendar has".to_owned(), |at| format!("{at} UTC"))
}

impl Connection {
    /// Dials, secures and begins HTTP/2.
    ///
    /// # Errors
    /// Whatever kept it from coming about, within 15 s.
    pub async fn open(dialer: &Dialer, address: &ServerAddress, tls: ClientTls) -> Result<Self, DialError> {
        // A closed semaphore would only mean that nothing limits any more; it is never closed.
        let _permit = dialer.dials.acquire().await;
        tokio::time::timeout(DIAL_TIMEOUT, Self::open_unbounded(address, tls))
            .await
            .unwrap_or_else(|_| Err(DialError::TimedOut { address: address.to_string() }))
    }

    async fn open_unbounded(address: &ServerAddress, tls: ClientTls) -> Result<Self, DialError> {
        let unreachable = |source| DialError::Unreachable { address: address.to_string(), source };
        let socket = TcpStream::connect(address.host_and_port()).await.map_err(unreachable)?;
        socket.set_nodelay(true).map_err(unreachable)?;
        let stream = tls
            .handshake(address.name(), socket)
            .await
            .map_err(|source| DialError::Tls { address: address.to_string(), source })?;

        let exporter = stream
            .get_ref()
            .1
            .export_keying_material([0; 32], RECOVERY_LABEL, None)
            .map_err(|error| DialError::Tls { address: address.to_string(), source: io::Error::other(error) })?;

        let tasks = Tasks::new();
        let (sender, connection) = http2::Builder::new(tasks.spawner())
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_header_list_size(HEADERS_MAX_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|source| DialError::Http2 { address: address.to_string(), source })?;
        tasks.spawner().spawn(async move {
            // How it ended is told to whoever has a request on it.
            let _ended = connection.await;
        });
        Ok(Self { sender, origin: address.origin(), exporter, _tasks: tasks })
    }

    /// What only the two ends of this connection know (RFC 8446 section 7.5), for proofs that must fit no other connection.
    #[must_use]
    pub fn exporter(&self) -> &[u8; 32] {
        &self.exporter
    }

    /// A service for a generated client.
    #[must_use]
    pub fn service(&self) -> Http2Service {
        Http2Service { sender: self.sender.clone() }
    }

    /// Scheme and authority for a generated client.
    #[must_use]
    pub fn origin(&self) -> Uri {
        self.origin.clone()
    }
}

/// Sends requests over a [`Connection`].
#[derive(Debug, Clone)]
pub struct Http2Service {
    sender: http2::SendRequest<tonic::body::Body>,
}

impl tower::Service<Request<tonic::body::Body>> for Http2Service {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.sender.poll_ready(context)
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        Box::pin(self.sender.send_request(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::UnixTime;

    fn refused(error: CertificateError) -> DialError {
        let source = io::Error::other(rustls::Error::InvalidCertificate(error));
        DialError::Tls { address: "fleet.example:8443".to_owned(), source }
    }

    #[test]
    fn a_wrong_clock_is_told_from_a_wrong_server() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let time = at(1_900_000_000);
        for error in [
            CertificateError::ExpiredContext { time, not_after: at(1_800_000_000) },
            CertificateError::NotValidYetContext { time, not_before: at(2_000_000_000) },
        ] {
            let error = refused(error);
            assert_eq!(error.server_problem(), Some(ServerProblem::NotValidNow { at_ms: 1_900_000_000_000 }));
            assert!(error.sentence().contains("clock says Mar 17 17:46:40 2030"), "{}", error.sentence());
        }
        let error = refused(CertificateError::UnknownIssuer);
        assert_eq!(error.server_problem(), Some(ServerProblem::Untrusted));
        assert!(error.sentence().contains("cannot secure the connection to fleet.example:8443"));
        let unreachable = DialError::TimedOut { address: String::new() };
        assert_eq!((unreachable.server_problem(), unreachable.is_untrusted_server()), (None, false));
        // No time leads astray.
        assert!(!utc(i64::MAX).is_empty() && !utc(i64::MIN).is_empty());
    }
}

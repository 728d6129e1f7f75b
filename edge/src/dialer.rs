//! What all connections of a process share: the cryptographic provider, the verifiers, and how many may be dialled at once.

use crate::client_tls::ClientTls;
use crate::clock::Clock;
use crate::identity::{DeviceRecord, IdentityKey};
use crate::trust::TrustChain;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::Semaphore;

/// Handshakes in flight from one process. A handshake costs about 1 ms of processor, so this many are done within the
/// dial timeout even on one slow core; a real box uses one.
const DIALS_MAX: usize = 256;

/// Enrolments in flight from one process. Each is a transaction of the server's; boxes that came too early would only be
/// sent away, and keep those that are enrolled already from getting through.
const ENROLLMENTS_MAX: usize = 16;

/// Verifiers kept: boxes of one process have the same server, and a rotation makes it two sets of authorities.
const VERIFIERS_MAX: usize = 4;

/// TLS could not be set up with what the box holds.
#[derive(Debug, Error)]
pub enum TlsSetupError {
    /// The bundle's authorities are no certificates.
    #[error("the trust bundle's authorities cannot be used")]
    Authorities,
    /// The box's certificate and key do not work together.
    #[error("the box's certificate cannot be used")]
    Certificate(#[source] rustls::Error),
    /// The provider lacks TLS 1.3.
    #[error("TLS 1.3 cannot be set up")]
    Provider(#[source] rustls::Error),
}

/// Shared by all connections of a process. Cheap to clone by `Arc`.
#[derive(Debug)]
pub struct Dialer {
    provider: Arc<CryptoProvider>,
    verifiers: Mutex<Vec<([u8; 32], Arc<WebPkiServerVerifier>)>>,
    pub(crate) dials: Semaphore,
    pub(crate) enrollments: Semaphore,
}

impl Dialer {
    /// Sets the provider up: TLS with the hybrid post-quantum key exchange preferred.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut provider = provider::default_provider();
        provider.kx_groups = vec![provider::kx_group::X25519MLKEM768, provider::kx_group::X25519];
        Arc::new(Self {
            provider: Arc::new(provider),
            verifiers: Mutex::new(Vec::new()),
            dials: Semaphore::new(DIALS_MAX),
            enrollments: Semaphore::new(ENROLLMENTS_MAX),
        })
    }

    /// For the one call over a connection that is not trusted yet. What comes over it is checked by hash and signature.
    ///
    /// # Errors
    /// TLS 1.3 cannot be set up.
    pub fn unverified(&self) -> Result<ClientTls, TlsSetupError> {
        let verifier = Arc::new(UncheckedServer { provider: self.provider.clone() });
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsSetupError::Provider)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(ClientTls::new(config, false))
    }

    /// For a server that one of the bundle's authorities vouches for, without saying who the box is.
    ///
    /// # Errors
    /// The authorities cannot be used.
    pub fn verified(&self, trust: &TrustChain, clock: &Clock) -> Result<ClientTls, TlsSetupError> {
        Ok(ClientTls::new(self.builder(trust, clock)?.with_no_client_auth(), false))
    }

    /// For the link: the server is verified and the box shows its certificate.
    ///
    /// # Errors
    /// The authorities or the box's certificate cannot be used.
    pub fn identified(
        &self,
        trust: &TrustChain,
        clock: &Clock,
        key: &IdentityKey,
        record: &DeviceRecord,
    ) -> Result<ClientTls, TlsSetupError> {
        let shown = key.client_certificate(record.certificate_chain.clone()).map_err(TlsSetupError::Certificate)?;
        let config = self.builder(trust, clock)?.with_client_cert_resolver(shown);
        Ok(ClientTls::new(config, key.may_block()))
    }

    fn builder(
        &self,
        trust: &TrustChain,
        clock: &Clock,
    ) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>, TlsSetupError> {
        let clock = Arc::new(FlooredClock { clock: clock.clone(), floor_ms: trust.earliest_ms() });
        Ok(ClientConfig::builder_with_details(self.provider.clone(), clock)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsSetupError::Provider)?
            .with_webpki_verifier(self.verifier(trust)?))
    }

    fn verifier(&self, trust: &TrustChain) -> Result<Arc<WebPkiServerVerifier>, TlsSetupError> {
        let id = trust.id();
        let mut verifiers = self.verifiers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, verifier)) = verifiers.iter().find(|(known, _)| *known == id) {
            return Ok(verifier.clone());
        }
        let mut roots = RootCertStore::empty();
        let (_, ignored) = roots.add_parsable_certificates(trust.authorities());
        if roots.is_empty() {
            return Err(TlsSetupError::Authorities);
        }
        if ignored > 0 {
            tracing::warn!(ignored, "some authorities of the trust bundle cannot be read");
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|_| TlsSetupError::Authorities)?;
        if verifiers.len() >= VERIFIERS_MAX {
            verifiers.remove(0);
        }
        verifiers.push((id, verifier.clone()));
        Ok(verifier)
    }
}

/// The box's clock, but never earlier than it can be: a box whose clock died still finds its server, and no other.
#[derive(Debug)]
struct FlooredClock {
    clock: Clock,
    floor_ms: i64,
}

impl TimeProvider for FlooredClock {
    fn current_time(&self) -> Option<UnixTime> {
        let now_ms = self.clock.now_ms().max(self.floor_ms);
        Some(UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(now_ms).unwrap_or(0))))
    }
}

/// Takes any server certificate, but only with a valid signature of the handshake.
#[derive(Debug)]
struct UncheckedServer {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for UncheckedServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_earlier_than_it_can_be() {
        let clock = Clock::default();
        let later_ms = clock.now_ms() + 3_600_000;
        let seconds = |floor_ms| FlooredClock { clock: clock.clone(), floor_ms }.current_time().unwrap().as_secs();
        assert_eq!(seconds(later_ms), later_ms.unsigned_abs() / 1_000);
        assert!(seconds(0) < later_ms.unsigned_abs() / 1_000);
        clock.advance(Duration::from_secs(7_200));
        assert!(seconds(later_ms) > later_ms.unsigned_abs() / 1_000, "a clock that is later counts");
    }
}

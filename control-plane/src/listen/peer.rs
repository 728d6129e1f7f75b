//! Who is at the other end of a device connection, by its certificate. Never by what a message says.

use crate::authority::Credentials;
use crate::digest::sha256;
use crate::listen::ConnectionHandle;
use kaliun_types::id::{DeviceId, OrganizationId, parse_device_uri};
use kaliun_types::reason::ReasonCode;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A device with a certificate that is valid now. Whether the device still exists is for the database to say.
    Device {
        device: DeviceId,
        expires_at: SystemTime,
        /// Number of the authority that signed the certificate.
        authority: i32,
        /// The certificate's serial number, as in DER without leading zeros.
        serial: Vec<u8>,
        /// Whose the device was when the certificate was made; none in those of older versions.
        organization: Option<OrganizationId>,
    },
    /// Anybody else, with what is wrong.
    Stranger(ReasonCode),
}

/// What a request on the device listener comes with.
#[derive(Clone)]
pub(crate) struct PeerConnection {
    pub(crate) peer: Peer,
    pub(crate) source: IpAddr,
    /// SHA-256 of the public key that a device proved.
    pub(crate) key_hash: Option<[u8; 32]>,
    pub(crate) connection: ConnectionHandle,
    /// What only the two ends of this connection know (RFC 8446 section 7.5), for strangers, who may prove themselves by it.
    pub(crate) exporter: Option<Arc<[u8; 32]>>,
}

/// Takes every client certificate whose key the client has proved, so that what is wrong with it can be said afterwards.
#[derive(Debug)]
pub(crate) struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

/// Says what a certificate is worth.
pub(crate) struct PeerJudge {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Numbers and names of the authorities that are believed. No two have the same name.
    authorities: Vec<(i32, Vec<u8>)>,
}

impl AnyClient {
    pub(crate) fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // The judgement comes after the handshake, where its reason can be told.
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }
}

impl PeerJudge {
    /// Judges by the authorities that are believed.
    ///
    /// # Errors
    /// An authority's certificate is none.
    pub(crate) fn new(
        credentials: &Credentials,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, rustls::server::VerifierBuilderError> {
        Self::by(credentials.rotation().trusted().zip(credentials.trusted().iter().cloned()), provider)
    }

    /// Judges by authorities with their numbers.
    ///
    /// # Errors
    /// An authority's certificate is none.
    pub(crate) fn by(
        authorities: impl Iterator<Item = (i32, CertificateDer<'static>)>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, rustls::server::VerifierBuilderError> {
        let (mut roots, mut names) = (RootCertStore::empty(), Vec::new());
        for (number, certificate) in authorities {
            names.extend(subject_of(&certificate).map(|name| (number, name)));
            roots.add_parsable_certificates([certificate]);
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { verifier, authorities: names })
    }

    /// Who presented these certificates.
    pub(crate) fn judge(&self, presented: Option<&[CertificateDer<'_>]>, now: SystemTime) -> Peer {
        let Some((end_entity, intermediates)) = presented.and_then(|chain| chain.split_first()) else {
            return Peer::Stranger(ReasonCode::PeerNoCertificate);
        };
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let at = UnixTime::since_unix_epoch(since_epoch);
        if let Err(error) = self.verifier.verify_client_cert(end_entity, intermediates, at) {
            return Peer::Stranger(reason_of(&error));
        }
        self.device_of(end_entity).unwrap_or(Peer::Stranger(ReasonCode::PeerInvalid))
    }

    /// The device that a verified certificate names by its only URI, when it ends, and who signed it.
    fn device_of(&self, certificate: &CertificateDer<'_>) -> Option<Peer> {
        let (_rest, certificate) = X509Certificate::from_der(certificate).ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        let [GeneralName::URI(uri)] = names.value.general_names.as_slice() else { return None };
        let device = parse_device_uri(uri).ok()?;
        let not_after = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
        // The verification found it by this name.
        let issuer = certificate.issuer().as_raw();
        let (authority, _name) = self.authorities.iter().find(|(_number, name)| name == issuer)?;
        let expires_at = UNIX_EPOCH + Duration::from_secs(not_after);
        let organization = certificate.subject().iter_organization().next();
        let organization = organization.and_then(|name| name.as_str().ok()?.parse().ok());
        let serial = certificate.tbs_certificate.serial.to_bytes_be();
        Some(Peer::Device { device, expires_at, authority: *authority, serial, organization })
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enums grow; what is new in them is invalid here")]
fn reason_of(error: &Error) -> ReasonCode {
    match error {
        Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => ReasonCode::PeerExpired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => ReasonCode::PeerNotYetValid,
            CertificateError::UnknownIssuer | CertificateError::BadSignature => ReasonCode::PeerUnknownIssuer,
            _ => ReasonCode::PeerInvalid,
        },
        _ => ReasonCode::PeerInvalid,
    }
}

/// SHA-256 of the SubjectPublicKeyInfo in the certificate that somebody presented.
pub(crate) fn key_hash(presented: Option<&[CertificateDer<'_>]>) -> Option<[u8; 32]> {
    let (_rest, certificate) = X509Certificate::from_der(presented?.first()?).ok()?;
    Some(sha256(certificate.public_key().raw))
}

fn subject_of(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_rest, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.subject().as_raw().to_vec())
}

//! A box's signing request.

use crate::digest::{sha256, verify_p256};
use rcgen::{CertificateSigningRequestParams, PublicKeyData as _};
use rustls::pki_types::CertificateSigningRequestDer;

/// What a box signs to prove its key begins with this.
const PROOF_DOMAIN: &[u8] = b"kaliun enrollment v1\0";
/// And to prove it once more when its certificate is of no use.
const RECOVERY_DOMAIN: &[u8] = b"kaliun recovery v1\0";

/// A box's signing request, checked: whose key it is.
pub struct CheckedRequest {
    pub(super) request: CertificateSigningRequestParams,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_hash: [u8; 32],
}

impl CheckedRequest {
    /// Reads a PKCS#10 request; its own signature must fit, and the key must be P-256.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der)).ok()?;
        if request.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
            return None;
        }
        let key_hash = sha256(&request.public_key.subject_public_key_info());
        Some(Self { request, key_hash })
    }

    /// Whether a signature proves that the sender holds the request's key now.
    #[must_use]
    pub fn proves(&self, nonce: &[u8], signature: &[u8]) -> bool {
        let message = [PROOF_DOMAIN, nonce, &self.key_hash].concat();
        verify_p256(self.request.public_key.der_bytes(), &message, signature)
    }

    /// The same for a recovery, on the connection with this TLS exporter and no other.
    #[must_use]
    pub fn proves_recovery(&self, nonce: &[u8], exporter: &[u8], signature: &[u8]) -> bool {
        let message = [RECOVERY_DOMAIN, nonce, &self.key_hash, exporter].concat();
        verify_p256(self.request.public_key.der_bytes(), &message, signature)
    }
}

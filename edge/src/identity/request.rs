//! Signing requests by a key that the certificate library does not have.

use super::{DeviceKey, SigningError};
use rcgen::{CertificateParams, PublicKeyData, SigningKey};
use std::cell::Cell;

/// A PKCS#10 request for a key, signed by it; DER.
pub(super) fn certificate_request(key: &dyn DeviceKey) -> Result<Vec<u8>, SigningError> {
    let key = RequestKey::new(key);
    match CertificateParams::default().serialize_request(&key) {
        Ok(request) => Ok(request.der().to_vec()),
        Err(error) => Err(key.failure.take().unwrap_or_else(|| SigningError::new(error))),
    }
}

/// A key as the certificate library wants it. The library has no place for why a key failed; it waits here.
pub(super) struct RequestKey<'a> {
    key: &'a dyn DeviceKey,
    failure: Cell<Option<SigningError>>,
}

impl<'a> RequestKey<'a> {
    pub(super) fn new(key: &'a dyn DeviceKey) -> Self {
        Self { key, failure: Cell::new(None) }
    }
}

impl PublicKeyData for RequestKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.public_key()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for RequestKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign(message).map_err(|failure| {
            self.failure.set(Some(failure));
            rcgen::Error::RemoteKeyError
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityKey;
    use crate::identity::double::{BrokenKey, HeldKey};
    use crate::link::transport::with_sources;
    use rcgen::{CertificateSigningRequestParams, PKCS_ECDSA_P256_SHA256};
    use rustls::pki_types::CertificateSigningRequestDer;
    use std::sync::Arc;

    /// As the control plane reads one: its own signature must fit, and the key must be P-256.
    #[tokio::test]
    async fn a_key_that_exports_nothing_requests_a_certificate() {
        let key = IdentityKey::new(Arc::new(HeldKey::new()));
        let request = key.certificate_request().await.unwrap();
        let read = |der: &[u8]| CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der));
        let public_key = read(&request).unwrap().public_key;
        assert_eq!(public_key.algorithm(), &PKCS_ECDSA_P256_SHA256);
        assert_eq!(public_key.subject_public_key_info(), key.public_key_info());
        let (last, rest) = request.split_last().unwrap();
        assert!(read(&[rest, &[last ^ 1]].concat()).is_err(), "the check looks at the signature");
    }

    #[tokio::test]
    async fn a_key_that_fails_says_why() {
        let key = IdentityKey::new(Arc::new(BrokenKey::new()));
        for error in [key.certificate_request().await.unwrap_err(), key.sign(Vec::new()).await.unwrap_err()] {
            assert_eq!(with_sources(&error), "the box's key did not sign: the chip is busy");
        }
    }
}

//! The box's certificate in a TLS handshake, by a key that TLS does not have.

use super::{IdentityKey, SigningError};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};
use std::sync::Arc;

/// A P-256 key has this one scheme in TLS 1.3.
const SCHEME: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;

impl IdentityKey {
    /// A certificate to show in handshakes, which the key signs.
    ///
    /// # Errors
    /// The certificate is for another key, or none.
    pub(crate) fn client_certificate(
        &self,
        certificate_chain: Vec<CertificateDer<'static>>,
    ) -> Result<Arc<dyn ResolvesClientCert>, rustls::Error> {
        let certified = CertifiedKey::new(certificate_chain, Arc::new(self.clone()));
        certified.keys_match()?;
        Ok(Arc::new(SingleCertAndKey::from(certified)))
    }

    /// Whether a handshake may hold its thread.
    pub(crate) fn may_block(&self) -> bool {
        self.key.may_block()
    }
}

/// What the key said, where it was the key that kept a handshake from its end.
pub(crate) fn own_failure(error: &rustls::Error) -> Option<&SigningError> {
    if let rustls::Error::Other(OtherError(cause)) = error { cause.downcast_ref() } else { None }
}

impl SigningKey for IdentityKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&SCHEME).then(|| Box::new(HandshakeSigner(self.clone())) as _)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.public_key_info().into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

#[derive(Debug)]
struct HandshakeSigner(IdentityKey);

impl Signer for HandshakeSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0.key.sign(message).map_err(|failure| rustls::Error::Other(OtherError(Arc::new(failure))))
    }

    fn scheme(&self) -> SignatureScheme {
        SCHEME
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::double::{BrokenKey, HeldKey, verify};

    #[test]
    fn it_has_one_scheme() {
        let key = IdentityKey::new(Arc::new(HeldKey::new()));
        let check = |offered: &[SignatureScheme], expected| {
            assert_eq!(key.choose_scheme(offered).map(|signer| signer.scheme()), expected, "{offered:?}");
        };
        check(&[], None);
        check(&[SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP384_SHA384], None);
        check(&[SignatureScheme::RSA_PSS_SHA256, SCHEME], Some(SCHEME));
        let signature = key.choose_scheme(&[SCHEME]).unwrap().sign(b"transcript").unwrap();
        verify(&key, b"transcript", &signature);
    }

    #[test]
    fn its_own_failure_is_told_from_others() {
        let key = IdentityKey::new(Arc::new(BrokenKey::new()));
        let error = key.choose_scheme(&[SCHEME]).unwrap().sign(b"transcript").unwrap_err();
        assert!(own_failure(&error).is_some());
        assert!(own_failure(&rustls::Error::DecryptError).is_none());
        assert!(own_failure(&rustls::Error::Other(OtherError(Arc::new(std::fmt::Error)))).is_none());
    }

    #[test]
    fn a_certificate_of_another_key_is_not_shown() {
        let signed = |key: &rcgen::KeyPair| rcgen::CertificateParams::default().self_signed(key).unwrap().der().clone();
        let certificate = signed(&rcgen::KeyPair::generate().unwrap());
        let key = IdentityKey::new(Arc::new(HeldKey::new()));
        for chain in [vec![certificate], vec![vec![1].into()], Vec::new()] {
            assert!(key.client_certificate(chain).is_err());
        }
    }
}

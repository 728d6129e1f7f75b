//! What signs: for an authority, and for trust bundles.

use super::AuthorityError;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Signs with a P-256 key: ECDSA with SHA-256, ASN.1 DER. The key need not be in this process: a file's key is one kind, a key
/// management service can be another.
pub(super) trait Signer: Send + Sync {
    /// The public key: uncompressed point, 65 bytes.
    fn public_key(&self) -> &[u8];

    /// Signs.
    ///
    /// # Errors
    /// The key cannot be used now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityError>;
}

/// A key in this process's memory, which came out of the database and was unsealed with the key file.
pub(super) struct MemorySigner {
    key: EcdsaKeyPair,
}

impl MemorySigner {
    /// Takes a PKCS#8 key.
    ///
    /// # Errors
    /// It is no P-256 key.
    pub(super) fn new(pkcs8: &[u8]) -> Result<Self, AuthorityError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8)
            .map_err(|_rejected| AuthorityError::Key)?;
        Ok(Self { key })
    }

    /// Makes a new key. Answers it as PKCS#8 too, to be sealed.
    ///
    /// # Errors
    /// The library refused.
    pub(super) fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), AuthorityError> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
            .map_err(|_refused| AuthorityError::Key)?;
        let pkcs8 = Zeroizing::new(pkcs8.as_ref().to_vec());
        Ok((Self::new(&pkcs8)?, pkcs8))
    }
}

impl Signer for MemorySigner {
    fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, AuthorityError> {
        let signature = self.key.sign(&SystemRandom::new(), message).map_err(|_refused| AuthorityError::Key)?;
        Ok(signature.as_ref().to_vec())
    }
}

/// A signer as the certificate library wants it.
pub(super) struct CertificateKey(pub(super) Arc<dyn Signer>);

impl rcgen::PublicKeyData for CertificateKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for CertificateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message).map_err(|_failed| rcgen::Error::RemoteKeyError)
    }
}

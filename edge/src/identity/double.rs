//! Keys for tests that export nothing, as a TPM's.

use super::{DeviceKey, IdentityKey, SigningError};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};

/// A key that is nowhere but in the library's memory.
pub(crate) struct HeldKey(EcdsaKeyPair);

impl HeldKey {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }
}

impl DeviceKey for HeldKey {
    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(SigningError::new)?;
        Ok(signature.as_ref().to_vec())
    }

    fn may_block(&self) -> bool {
        true
    }
}

/// A key that never signs.
pub(crate) struct BrokenKey(HeldKey);

impl BrokenKey {
    pub(crate) fn new() -> Self {
        Self(HeldKey::new())
    }
}

impl DeviceKey for BrokenKey {
    fn public_key(&self) -> &[u8] {
        self.0.public_key()
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SigningError> {
        Err(SigningError::new("the chip is busy"))
    }

    fn may_block(&self) -> bool {
        true
    }
}

/// Fails the test unless the signature is the key's.
pub(crate) fn verify(key: &IdentityKey, message: &[u8], signature: &[u8]) {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.key.public_key()).verify(message, signature).unwrap();
}

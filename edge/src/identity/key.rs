//! The box's P-256 key.

use crate::state_dir::{StateDir, StateDirError};
use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SigningKey};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

const FILE: &str = "identity-key.pem";

/// Hexadecimal digits of the fingerprint that people compare: 64 bits, which nobody finds a second key for in the quarter of
/// an hour that a claim lives.
const FINGERPRINT_DIGITS: usize = 16;

/// The identity could not be made, read or used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The state folder failed.
    #[error("cannot keep the identity")]
    StateDir(#[from] StateDirError),
    /// The key's file holds something else.
    #[error(
        "{FILE} in the state folder does not hold a P-256 private key; restore it, or run `kaliun-edge enroll --new-key`"
    )]
    InvalidKey,
    /// The cryptographic library refused.
    #[error("cannot {operation} with the identity key")]
    Cryptography {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: rcgen::Error,
    },
}

/// The box's own key. Shows its fingerprint and nothing else.
pub struct IdentityKey {
    key_pair: KeyPair,
    public_key_hash: [u8; 32],
}

impl IdentityKey {
    pub(super) fn load_or_create(state: &StateDir) -> Result<Self, IdentityError> {
        match state.read(FILE)? {
            None => Self::create(state),
            Some(pem) => {
                let pem = String::from_utf8(pem).map_err(|_| IdentityError::InvalidKey)?;
                let key_pair = KeyPair::from_pem(&pem).map_err(|_| IdentityError::InvalidKey)?;
                if key_pair.algorithm() != &PKCS_ECDSA_P256_SHA256 {
                    return Err(IdentityError::InvalidKey);
                }
                Self::new(key_pair)
            }
        }
    }

    /// Makes a new key in place of any other.
    ///
    /// # Errors
    /// No key can be made or it cannot be stored.
    pub fn create(state: &StateDir) -> Result<Self, IdentityError> {
        let key_pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|source| IdentityError::Cryptography { operation: "generate", source })?;
        state.write(FILE, key_pair.serialize_pem().as_bytes())?;
        Self::new(key_pair)
    }

    /// Deletes the key. Nobody can prove it any more.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(crate) fn forget(state: &StateDir) -> Result<(), StateDirError> {
        state.remove(FILE)
    }

    fn new(key_pair: KeyPair) -> Result<Self, IdentityError> {
        let public_key_hash = sha256(&key_pair.subject_public_key_info());
        Ok(Self { key_pair, public_key_hash })
    }

    /// SHA-256 of the public key's SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key_hash(&self) -> [u8; 32] {
        self.public_key_hash
    }

    /// The public key's SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key_info(&self) -> Vec<u8> {
        self.key_pair.subject_public_key_info()
    }

    /// What people compare: the hash's first 16 hexadecimal digits in groups of four.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digits = data_encoding::HEXLOWER.encode(&self.public_key_hash);
        let groups: Vec<&str> =
            (0..FINGERPRINT_DIGITS).step_by(4).filter_map(|start| digits.get(start..start + 4)).collect();
        groups.join(" ")
    }

    /// A signing request for this key: PKCS#10, DER.
    ///
    /// # Errors
    /// The key refuses to sign.
    pub fn certificate_request(&self) -> Result<Vec<u8>, IdentityError> {
        CertificateParams::default()
            .serialize_request(&self.key_pair)
            .map(|request| request.der().to_vec())
            .map_err(|source| IdentityError::Cryptography { operation: "request a certificate", source })
    }

    /// Signs with ECDSA P-256 and SHA-256; ASN.1 DER.
    ///
    /// # Errors
    /// The key refuses to sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IdentityError> {
        self.key_pair.sign(message).map_err(|source| IdentityError::Cryptography { operation: "sign", source })
    }

    /// The key as TLS wants it.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_pair.serialize_der()))
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "IdentityKey({})", self.fingerprint())
    }
}

/// SHA-256.
#[must_use]
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::Durability;

    #[test]
    fn the_key_stays_the_same_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        let first = IdentityKey::load_or_create(&state).unwrap();
        let again = IdentityKey::load_or_create(&state).unwrap();
        assert_eq!(first.public_key_hash(), again.public_key_hash());
        let signature = again.sign(b"message").unwrap();
        let public = aws_lc_rs::signature::UnparsedPublicKey::new(
            &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1,
            first.key_pair.der_bytes(),
        );
        assert!(public.verify(b"message", &signature).is_ok());
        assert_eq!(first.fingerprint().len(), 19);
        assert!(!format!("{first:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        state.write(FILE, b"nonsense").unwrap();
        assert!(matches!(IdentityKey::load_or_create(&state), Err(IdentityError::InvalidKey)));
        assert_eq!(state.read(FILE).unwrap().unwrap(), b"nonsense");
    }
}

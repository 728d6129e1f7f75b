//! The box's P-256 key, as the rest of the agent knows it: its public part, and signatures.

use super::request::{RequestKey, certificate_request};
use super::{DeviceKey, KeyStore, SigningError};
use crate::state_dir::{StateDir, StateDirError};
use crate::tasks;
use aws_lc_rs::digest::{SHA256, digest};
use rcgen::PublicKeyData;
use std::error::Error;
use std::sync::Arc;
use thiserror::Error;

/// Hexadecimal digits of the fingerprint that people compare: 64 bits, which nobody finds a second key for in the quarter of
/// an hour that a claim lives.
const FINGERPRINT_DIGITS: usize = 16;

/// The identity could not be made, read or used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The state folder failed.
    #[error("cannot keep the identity")]
    StateDir(#[from] StateDirError),
    /// Where the key should be is something else.
    #[error(
        "{place} in the state folder does not hold a P-256 private key; restore it, or run `kaliun-edge enroll --new-key`"
    )]
    InvalidKey {
        /// The file.
        place: &'static str,
    },
    /// The key's store failed.
    #[error("cannot {operation} the identity key")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The key failed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

/// The box's own key. Shows its fingerprint and nothing else. Cheap to clone.
#[derive(Clone)]
pub struct IdentityKey {
    pub(super) key: Arc<dyn DeviceKey>,
    public_key_info: Arc<[u8]>,
}

impl IdentityKey {
    /// The key of a store. It makes one only where there is none.
    pub(super) fn load_or_create(keys: &dyn KeyStore, state: &StateDir) -> Result<Self, IdentityError> {
        let key = match keys.load(state)? {
            Some(key) => key,
            None => keys.create(state)?,
        };
        Ok(Self::new(key))
    }

    pub(super) fn new(key: Arc<dyn DeviceKey>) -> Self {
        let public_key_info = RequestKey::new(&*key).subject_public_key_info().into();
        Self { key, public_key_info }
    }

    /// SHA-256 of the public key's SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key_hash(&self) -> [u8; 32] {
        sha256(&self.public_key_info)
    }

    /// The public key's SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// What people compare: the hash's first 16 hexadecimal digits in groups of four.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digits = data_encoding::HEXLOWER.encode(&self.public_key_hash());
        let groups: Vec<&str> =
            (0..FINGERPRINT_DIGITS).step_by(4).filter_map(|start| digits.get(start..start + 4)).collect();
        groups.join(" ")
    }

    /// A signing request for this key: PKCS#10, DER.
    ///
    /// # Errors
    /// The key does not sign.
    pub async fn certificate_request(&self) -> Result<Vec<u8>, IdentityError> {
        Ok(self.ask(certificate_request).await?)
    }

    /// Signs with ECDSA P-256 and SHA-256; ASN.1 DER.
    ///
    /// # Errors
    /// The key does not sign.
    pub async fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, IdentityError> {
        Ok(self.ask(move |key| key.sign(&message)).await?)
    }

    /// Asks the key for a signature, where it may take its time.
    async fn ask<F>(&self, question: F) -> Result<Vec<u8>, SigningError>
    where
        F: FnOnce(&dyn DeviceKey) -> Result<Vec<u8>, SigningError> + Send + 'static,
    {
        if !self.key.may_block() {
            return question(&*self.key);
        }
        let key = self.key.clone();
        tasks::where_it_may_block(async move { question(&*key) }).await.map_err(SigningError::new)?
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

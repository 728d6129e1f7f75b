//! The key that signs the next trust bundle, when it is handled by itself.

use super::signer::{MemorySigner, Signer};
use super::{AuthorityError, KeyFile, bundle, bundle_purpose};
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use kaliun_store::TrustBundleRow;
use prost::Message;
use std::fmt;
use zeroize::Zeroizing;

/// What a sealed file with such a key says it holds.
pub const BUNDLE_KEY: &str = "bundle-key";

/// The key. Neither `Debug` nor any error shows it.
pub struct BundleKey {
    pkcs8: Zeroizing<Vec<u8>>,
    signer: MemorySigner,
}

impl fmt::Debug for BundleKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BundleKey").finish_non_exhaustive()
    }
}

impl BundleKey {
    /// Takes a PKCS#8 key.
    ///
    /// # Errors
    /// It is no P-256 key.
    pub fn new(pkcs8: &[u8]) -> Result<Self, AuthorityError> {
        Ok(Self { pkcs8: Zeroizing::new(pkcs8.to_vec()), signer: MemorySigner::new(pkcs8)? })
    }

    /// Makes a new one.
    ///
    /// # Errors
    /// The library refused.
    pub fn generate() -> Result<Self, AuthorityError> {
        let (signer, pkcs8) = MemorySigner::generate()?;
        Ok(Self { pkcs8, signer })
    }

    /// Opens the one that signs after a bundle; none when it is kept elsewhere.
    ///
    /// # Errors
    /// The key file is another one.
    pub(crate) fn unseal(newest: &TrustBundleRow, keys: &KeyFile) -> Result<Option<Self>, AuthorityError> {
        let Some(sealed) = &newest.sealed_key else { return Ok(None) };
        Self::new(&keys.unseal(&bundle_purpose(newest.version), sealed)?).map(Some)
    }

    /// Seals it for the database.
    ///
    /// # Errors
    /// The library refused.
    pub(crate) fn seal(&self, version: i64, keys: &KeyFile) -> Result<Vec<u8>, AuthorityError> {
        keys.seal(&bundle_purpose(version), &self.pkcs8)
    }

    /// The key itself, to be sealed.
    #[must_use]
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// Whether it signs the bundle after one.
    pub(crate) fn signs_after(&self, newest: &TrustBundleRow) -> bool {
        TrustBundle::decode(newest.bundle.as_slice()).is_ok_and(|named| self.is_named_by(&named))
    }

    /// Whether a bundle names it as the one that signs the next.
    pub(crate) fn is_named_by(&self, bundle: &TrustBundle) -> bool {
        bundle.bundle_key == self.signer.public_key()
    }

    /// Signs a bundle that was made elsewhere. With another key in `next`, that one signs what comes after it.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn sign(&self, bundle: &TrustBundle, next: Option<&Self>) -> Result<SignedTrustBundle, AuthorityError> {
        let next = next.unwrap_or(self);
        let named = TrustBundle { bundle_key: next.signer.public_key().to_vec(), ..bundle.clone() };
        bundle::sign_named(&named, &self.signer)
    }
}

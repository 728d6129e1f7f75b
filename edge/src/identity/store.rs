//! Where the box's key lives and what signs with it: a file here, a TPM where there is one. The key's private part is the store's own
//! affair; the rest of the agent knows the public part and gets signatures.

use super::IdentityError;
use crate::state_dir::StateDir;
use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use thiserror::Error;

/// A P-256 key that signs. It need not be in this process.
pub trait DeviceKey: Send + Sync {
    /// The public key: uncompressed point, 65 bytes.
    fn public_key(&self) -> &[u8];

    /// Signs with ECDSA and SHA-256; ASN.1 DER. May hold its thread where [`Self::may_block`] says so, but always comes to an end.
    ///
    /// # Errors
    /// The key cannot be used now. The agent tries again later.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError>;

    /// Whether a signature may take longer than half a millisecond. Such a key is asked on threads that may wait; any other one where the
    /// signature is needed, for thousands of simulated boxes would else need a thread each.
    fn may_block(&self) -> bool;
}

/// Keeps one key, across restarts. Asked when the agent starts, when a person wants a new key and when the box's service ends, never while
/// anything waits for the agent.
pub trait KeyStore: Debug + Send + Sync {
    /// The key that is kept; `None` where there is none. `state` is the place for what the store needs to find it again.
    ///
    /// # Errors
    /// There is a key, or may be one, and it cannot be used: the box must not make itself another one then.
    fn load(&self, state: &StateDir) -> Result<Option<Arc<dyn DeviceKey>>, IdentityError>;

    /// Makes a new key in place of any other. It is kept, whatever happens to the machine, before this answers.
    ///
    /// # Errors
    /// No key can be made or kept; the one before still counts.
    fn create(&self, state: &StateDir) -> Result<Arc<dyn DeviceKey>, IdentityError>;

    /// Deletes the key, so that nobody can prove it any more. Harmless to repeat.
    ///
    /// # Errors
    /// It may still be there.
    fn forget(&self, state: &StateDir) -> Result<(), IdentityError>;
}

/// The key gave no signature.
#[derive(Debug, Error)]
#[error("the box's key did not sign")]
pub struct SigningError(#[source] Box<dyn Error + Send + Sync>);

impl SigningError {
    /// For what the key's own library said.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

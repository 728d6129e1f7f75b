//! What the control plane signs: the hash at one number, and where a chain begins after old entries were deleted.

use super::{Hash, Tools};
use crate::id::OrganizationId;

/// So that a signature fits nothing else.
const CHECKPOINT_DOMAIN: &[u8] = b"kaliun audit checkpoint v1\0";
const CUT_DOMAIN: &[u8] = b"kaliun audit cut v1\0";
const KEY_DOMAIN: &[u8] = b"kaliun audit key v1\0";

/// What the id of a public key is the SHA-256 of.
#[must_use]
pub fn key_id_message(public_key: &[u8]) -> Vec<u8> {
    [KEY_DOMAIN, public_key].concat()
}

/// A signature over the hash at one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose chain.
    pub organization: OrganizationId,
    /// How often the database had come back from a backup.
    pub incarnation: u64,
    /// The entry's number.
    pub sequence: u64,
    /// The entry's hash.
    pub hash: Hash,
    /// When it was signed, microseconds since the Unix epoch.
    pub at_us: i64,
    /// Id of the key that signed.
    pub key_id: Hash,
    /// ECDSA P-256, SHA-256, ASN.1 DER.
    pub signature: Vec<u8>,
}

/// Where a chain begins: all up to here was deleted, for it was old enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Whose chain.
    pub organization: OrganizationId,
    /// Number of the last entry that is gone.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// When it was signed, microseconds since the Unix epoch.
    pub at_us: i64,
    /// Id of the key that signed.
    pub key_id: Hash,
    /// ECDSA P-256, SHA-256, ASN.1 DER.
    pub signature: Vec<u8>,
}

impl Checkpoint {
    /// What is signed. All parts have one length.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        [
            CHECKPOINT_DOMAIN,
            self.organization.as_uuid().as_bytes(),
            &self.incarnation.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &self.hash,
            &self.at_us.to_be_bytes(),
            &self.key_id,
        ]
        .concat()
    }

    /// Whether one of these public keys signed it.
    #[must_use]
    pub fn is_signed_by_one_of(&self, tools: Tools, keys: &[Vec<u8>]) -> bool {
        is_signed(tools, keys, &self.key_id, &self.message(), &self.signature)
    }
}

impl Cut {
    /// What is signed. All parts have one length.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        [
            CUT_DOMAIN,
            self.organization.as_uuid().as_bytes(),
            &self.sequence.to_be_bytes(),
            &self.hash,
            &self.at_us.to_be_bytes(),
            &self.key_id,
        ]
        .concat()
    }

    /// Whether one of these public keys signed it.
    #[must_use]
    pub fn is_signed_by_one_of(&self, tools: Tools, keys: &[Vec<u8>]) -> bool {
        is_signed(tools, keys, &self.key_id, &self.message(), &self.signature)
    }
}

fn is_signed(tools: Tools, keys: &[Vec<u8>], key_id: &Hash, message: &[u8], signature: &[u8]) -> bool {
    keys.iter()
        .filter(|key| (tools.sha256)(&key_id_message(key)) == *key_id)
        .any(|key| (tools.is_signed)(key, message, signature))
}

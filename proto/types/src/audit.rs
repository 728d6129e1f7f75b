//! The audit chain: what of an entry is hashed, what a checkpoint signs, and how a chain is verified by whoever has a copy of it.
//!
//! Entries of an organization are numbered from 1 on and chained: the hash of each covers the one before it. Personal and free fields
//! enter as salted digests, so that they can be erased and the chain holds. A checkpoint is the control plane's signature over the hash at
//! one number. This module is pure: hashing and checking signatures are functions of the caller's own library ([`Tools`]).

mod checkpoint;
mod entry;
mod erasures;
mod fault;
mod report;
mod suspects;
#[cfg(test)]
mod testing;
mod verifier;

pub use checkpoint::{Checkpoint, Cut, key_id_message};
pub use entry::{Digests, Entry, FORM, Personal, PersonalField, SALT_BYTES, genesis_message};
pub use fault::{Fault, FaultKind, Origin};
pub use report::{End, Known, Report, Restored, Start};
pub use verifier::Verifier;

/// SHA-256 of something.
pub type Hash = [u8; 32];

/// An unsealed entry may be so old, microseconds: the sealer takes a second, and a minute is no accident any more.
pub const UNSEALED_MAX_US: i64 = 60_000_000;

/// An entry may be without a checkpoint for so long, microseconds: one is made within a minute, and five are no accident any more.
pub const CHECKPOINT_MAX_US: i64 = 300_000_000;

/// The action of the entry that says that personal fields were erased. Its target is `account/<id>`.
pub const ACTION_ERASE: &str = "audit.erase";

/// The action of the entry that says that the database came back from a backup.
pub const ACTION_RESTORED: &str = "audit.restored";

/// What the caller's library does.
#[derive(Debug, Clone, Copy)]
pub struct Tools {
    /// SHA-256.
    pub sha256: fn(&[u8]) -> Hash,
    /// Whether a signature (ECDSA P-256, SHA-256, ASN.1 DER) over a message fits a public key (uncompressed point, 65 bytes): key,
    /// message, signature.
    pub is_signed: fn(&[u8], &[u8], &[u8]) -> bool,
}

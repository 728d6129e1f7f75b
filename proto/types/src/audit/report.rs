//! What a verifier is told, and what it answers.

use super::fault::{Fault, Origin};
use super::{Cut, Hash};
use crate::id::OrganizationId;

/// What is known before the first entry.
#[derive(Debug, Clone)]
pub struct Start {
    /// Whose chain.
    pub organization: OrganizationId,
    /// Where it begins, when old entries were deleted.
    pub cut: Option<Cut>,
    /// The control plane's public keys: uncompressed points.
    pub keys: Vec<Vec<u8>>,
    /// Ids of the keys that it had when the chain was verified before; none the first time.
    pub known_keys: Option<Vec<Hash>>,
}

/// A hash that somebody knows. Those at or before the first entry given to the verifier are to be told before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Who.
    pub origin: Origin,
    /// How often the database had come back from a backup when they knew it.
    pub incarnation: u64,
    /// The entry's number.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

/// What is known after the last entry.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// The chain's own record of its newest entry; none when it has no such record.
    pub head: Option<(u64, Hash)>,
    /// Entries that are not sealed yet.
    pub unsealed: u64,
    /// When the oldest of them was written, microseconds since the Unix epoch.
    pub unsealed_since_us: Option<i64>,
    /// Unsealed entries that say that something was erased: target, and what was after, each.
    pub unsealed_erasures: Vec<(String, String)>,
    /// Now, microseconds since the Unix epoch.
    pub now_us: i64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that were looked at.
    pub entries: u64,
    /// The first and the last number; 0 for none.
    pub first: u64,
    /// See `first`.
    pub last: u64,
    /// The hash of the last.
    pub head: Option<Hash>,
    /// Signed checkpoints that agree with the chain.
    pub checkpoints: u64,
    /// How the database came back from a backup, as entries say, in the order of the chain.
    pub restored: Vec<Restored>,
    /// Entries that are not sealed yet.
    pub unsealed: u64,
    /// Age of the oldest of them, seconds; 0 for none.
    pub unsealed_age_seconds: u64,
    /// What is wrong, by number.
    pub faults: Vec<Fault>,
    /// Faults beyond those that are named.
    pub more_faults: u64,
}

/// What an entry says of a database that came back from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The entry's number.
    pub entry: u64,
    /// How often it has come back since.
    pub incarnation: u64,
    /// The newest entry that came back; those after it are gone, and others have their numbers.
    pub last: u64,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.faults.is_empty() && self.more_faults == 0
    }
}

//! The chain of an organization's audit: sealing, checkpoints, reading it whole, erasing what is personal, and forgetting what is old.
//!
//! A change writes its row and waits for nobody ([`crate::audit`]). One sealer for each organization gives committed rows their numbers and
//! hashes afterwards, so what two changes share is no lock. What is hashed is said in `kaliun_types::audit`; hashing and signing are the
//! caller's.

mod erasure;
mod export;
mod keys;
mod list;
mod retention;
mod row;
mod sealing;

pub use export::{AuditPage, AuditStart, AuditTail};
pub use keys::AuditKeyRow;
pub use list::{AuditFilter, AuditPosition};
pub use retention::CutDue;
pub use sealing::{ChainHead, SealedEntry, TakenChain};

pub(crate) use erasure::audit_personal_erase_in_txn;
pub(crate) use keys::audit_key_reseal_in_txn;

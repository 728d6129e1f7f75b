//! The audit's chain: what gives entries their numbers and hashes, what keeps checkpoints outside of the database, and what verifies all of
//! it at the machine.
//!
//! The rows are `kaliun-store`'s, the rules `kaliun_types::audit`'s. Changes write their rows and wait for nobody; all here runs after them.

pub mod checkpoint_file;
pub(crate) mod retention;
pub(crate) mod sealer;
pub mod verification;

use crate::digest::{sha256, verify_p256};
use kaliun_types::audit::Tools;

/// Hashing and signatures of this process.
pub(crate) const TOOLS: Tools = Tools { sha256, is_signed: verify_p256 };

//! What a spool must remember beside its records.

use super::SpoolId;
use crate::state_dir::{StateDir, StateDirError};
use serde::{Deserialize, Serialize};

const FILE: &str = "spool.json";

/// The description of a spool. Replaced as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// Names this life of the spool.
    pub(super) spool_id: SpoolId,
    /// The boot in which it was last open: after another one the unsynced end may be missing.
    pub(super) boot_id: String,
    /// Numbers up to here may have been used.
    pub(super) reserved: u64,
    /// The next record has at least this number, whatever the segments say.
    pub(super) next_floor: u64,
    /// Numbers up to here are acknowledged, as far as was written down.
    pub(super) acknowledged: u64,
    /// Items dropped since the spool began.
    pub(super) dropped: u64,
}

impl Meta {
    /// Begins a new life at sequence 1.
    pub(super) fn begin(boot_id: &str) -> Self {
        Self {
            spool_id: rand::random(),
            boot_id: boot_id.to_owned(),
            reserved: 0,
            next_floor: 1,
            acknowledged: 0,
            dropped: 0,
        }
    }

    /// Reads the description. `None` where there is none or it cannot be understood: then a new spool begins, under a new
    /// id, so that its numbers cannot be taken for the lost ones.
    pub(super) fn load(folder: &StateDir) -> Result<Option<Self>, StateDirError> {
        let Some(content) = folder.read(FILE)? else {
            return Ok(None);
        };
        match serde_json::from_slice(&content) {
            Ok(meta) => Ok(Some(meta)),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.path().display(), "spool description is unreadable, a new spool begins");
                Ok(None)
            }
        }
    }

    /// Forgets the description: what is behind it is another spool from here on.
    pub(super) fn forget(folder: &StateDir) -> Result<(), StateDirError> {
        folder.remove(FILE)
    }

    pub(super) fn store(&self, folder: &StateDir) -> Result<(), StateDirError> {
        let content = serde_json::to_vec(self).unwrap_or_default();
        folder.write(FILE, &content)
    }
}

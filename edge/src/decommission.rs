//! The end of a box's service, where the box shall delete what it is known by.
//!
//! A marker is written first and outlives the rest: a box that loses power half-way goes on deleting when it starts again, and never
//! comes back under its old identity. The order for it counts only from a server that the box has verified.

use crate::clock::now_ms;
use crate::identity::{DeviceRecord, IdentityError, KeyStore};
use crate::journal::Journal;
use crate::state_dir::{StateDir, StateDirError};
use crate::trust::TrustChain;
use serde::{Deserialize, Serialize};

/// The marker, in the state folder.
const FILE: &str = "decommissioned.json";

/// What stays of the box: that it was taken out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decommissioned {
    /// The name it had.
    pub name: String,
    /// When it heard of it. Milliseconds since the Unix epoch.
    pub at_ms: i64,
}

impl Decommissioned {
    /// Makes the order durable. From here on the box is out of service, whatever happens.
    pub(crate) fn begin(state: &StateDir, name: &str) -> Result<Self, StateDirError> {
        let marker = Self { name: name.to_owned(), at_ms: now_ms() };
        state.write(FILE, &serde_json::to_vec_pretty(&marker).unwrap_or_default())?;
        Ok(marker)
    }

    /// The order, if the box got one. One that cannot be read counts all the same.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn load(state: &StateDir) -> Result<Option<Self>, StateDirError> {
        let content = state.read(FILE)?;
        let unreadable = || Self { name: String::new(), at_ms: 0 };
        Ok(content.map(|content| serde_json::from_slice(&content).unwrap_or_else(|_garbled| unreadable())))
    }

    /// Deletes what the box is known by and what it has recorded, the key first. Harmless to repeat.
    pub(crate) fn wipe(state: &StateDir, keys: &dyn KeyStore) -> Result<(), IdentityError> {
        keys.forget(state)?;
        DeviceRecord::forget(state)?;
        TrustChain::forget(state)?;
        Journal::forget(state)?;
        for name in [crate::link::settings::FILE, crate::remembered::FILE] {
            state.remove(name)?;
        }
        Ok(())
    }

    /// Lets a box that was taken out of service begin anew: what is left of the old identity goes, then the marker.
    ///
    /// # Errors
    /// The key cannot be deleted, or the folder cannot be changed.
    pub fn forget(state: &StateDir, keys: &dyn KeyStore) -> Result<(), IdentityError> {
        if Self::load(state)?.is_some() {
            Self::wipe(state, keys)?;
            state.remove(FILE)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::FileKeyStore;
    use crate::state_dir::Durability;
    use std::collections::BTreeSet;

    fn files(state: &StateDir) -> BTreeSet<String> {
        let entries = std::fs::read_dir(state.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn nothing_but_the_marker_stays_and_a_garbled_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        for name in
            ["device.json", "device-next.json", "identity-key.pem", "incarnation", "settings.pb", "trust-bundles.pb"]
        {
            state.write(name, b"x").unwrap();
        }
        state.subfolder("spool").unwrap().subfolder("samples").unwrap().write("0001", b"x").unwrap();
        assert_eq!(Decommissioned::load(&state).unwrap(), None);
        let marker = Decommissioned::begin(&state, "cellar").unwrap();
        assert_eq!(Decommissioned::load(&state).unwrap(), Some(marker));
        Decommissioned::wipe(&state, &FileKeyStore).unwrap();
        Decommissioned::wipe(&state, &FileKeyStore).unwrap();
        assert_eq!(files(&state), BTreeSet::from([FILE.to_owned()]));
        state.write(FILE, b"{").unwrap();
        assert!(Decommissioned::load(&state).unwrap().is_some());
        state.write("identity-key.pem", b"x").unwrap();
        Decommissioned::forget(&state, &FileKeyStore).unwrap();
        assert_eq!(files(&state), BTreeSet::new());
        // A box that is in service loses nothing.
        state.write("identity-key.pem", b"x").unwrap();
        Decommissioned::forget(&state, &FileKeyStore).unwrap();
        assert_eq!(files(&state), BTreeSet::from(["identity-key.pem".to_owned()]));
    }
}

//! How a box becomes another device: with a key of its own, and with nothing of the device that it was.
//!
//! What the box recorded and nobody took is the old device's. Sent under the new identity, it would be another device's, and perhaps
//! another organization's.

use crate::decommission::Decommissioned;
use crate::identity::{DeviceRecord, IdentityError, KeyStore};
use crate::journal::Journal;
use crate::state_dir::StateDir;

/// Makes a new key in place of any other, and forgets what belongs to the old one. What was recorded goes first and the key last: a box that
/// loses power in between is the old device still, with less to tell.
///
/// # Errors
/// The folder cannot be changed, or no key can be made. It may be tried again.
pub fn make(state: &StateDir, keys: &dyn KeyStore) -> Result<(), IdentityError> {
    Journal::forget(state)?;
    for name in [crate::link::settings::FILE, crate::remembered::FILE] {
        state.remove(name)?;
    }
    Decommissioned::forget(state, keys)?;
    DeviceRecord::forget(state)?;
    keys.create(state)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::FileKeyStore;
    use crate::state_dir::Durability;

    const KEY: &str = "identity-key.pem";

    /// A box with a past.
    fn state(folder: &tempfile::TempDir) -> StateDir {
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        for name in ["device.json", "device-next.json", KEY, "incarnation", "settings.pb", "trust-bundles.pb"] {
            state.write(name, b"x").unwrap();
        }
        state.subfolder("spool").unwrap().subfolder("samples").unwrap().write("0001", b"x").unwrap();
        state
    }

    fn has(state: &StateDir, name: &str) -> bool {
        state.path().join(name).exists()
    }

    #[test]
    fn nothing_of_the_old_device_is_left_but_whom_the_box_believes() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder);
        make(&state, &FileKeyStore).unwrap();
        for name in ["device.json", "device-next.json", "incarnation", "settings.pb", "spool"] {
            assert!(!has(&state, name), "{name}");
        }
        assert!(has(&state, "trust-bundles.pb"));
        assert_ne!(state.read(KEY).unwrap().unwrap(), b"x");
    }

    /// Whatever fails, the new key never comes beside what the old device recorded.
    #[test]
    fn a_box_that_is_interrupted_is_the_old_device_with_less_to_tell() {
        for in_the_way in ["identity-key.pem.new", "device.json"] {
            let folder = tempfile::tempdir().unwrap();
            let state = state(&folder);
            state.remove(in_the_way).unwrap();
            std::fs::create_dir(folder.path().join(in_the_way)).unwrap();
            assert!(make(&state, &FileKeyStore).is_err(), "{in_the_way}");
            assert_eq!(state.read(KEY).unwrap().unwrap(), b"x", "{in_the_way}: the key is the old one");
            assert!(!has(&state, "spool") && !has(&state, "settings.pb"), "{in_the_way}");
            std::fs::remove_dir(folder.path().join(in_the_way)).unwrap();
            make(&state, &FileKeyStore).unwrap();
            assert_ne!(state.read(KEY).unwrap().unwrap(), b"x", "{in_the_way}");
        }
    }

    #[test]
    fn a_box_that_was_taken_out_of_service_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(&folder);
        Decommissioned::begin(&state, "cellar").unwrap();
        make(&state, &FileKeyStore).unwrap();
        assert_eq!(Decommissioned::load(&state).unwrap(), None);
        assert!(has(&state, KEY) && !has(&state, "trust-bundles.pb"));
    }
}

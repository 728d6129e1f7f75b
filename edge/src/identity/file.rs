//! A key in a file of the state folder.

use super::{DeviceKey, IdentityError, KeyStore, SigningError};
use crate::state_dir::StateDir;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SigningKey};
use std::sync::Arc;

const FILE: &str = "identity-key.pem";

/// Keeps the key as PKCS#8 in a file that is its owner's alone. Whoever reads the file is the box.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileKeyStore;

impl KeyStore for FileKeyStore {
    fn load(&self, state: &StateDir) -> Result<Option<Arc<dyn DeviceKey>>, IdentityError> {
        let Some(pem) = state.read(FILE)? else { return Ok(None) };
        let key = FileKey::read(&pem).ok_or(IdentityError::InvalidKey { place: FILE })?;
        Ok(Some(Arc::new(key)))
    }

    fn create(&self, state: &StateDir) -> Result<Arc<dyn DeviceKey>, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|source| IdentityError::Store { operation: "make", source: source.into() })?;
        state.write(FILE, key.serialize_pem().as_bytes())?;
        Ok(Arc::new(FileKey(key)))
    }

    fn forget(&self, state: &StateDir) -> Result<(), IdentityError> {
        Ok(state.remove(FILE)?)
    }
}

/// The file's key, in this process's memory.
struct FileKey(KeyPair);

impl FileKey {
    fn read(pem: &[u8]) -> Option<Self> {
        let key = KeyPair::from_pem(str::from_utf8(pem).ok()?).ok()?;
        (key.algorithm() == &PKCS_ECDSA_P256_SHA256).then_some(Self(key))
    }
}

impl DeviceKey for FileKey {
    fn public_key(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        SigningKey::sign(&self.0, message).map_err(SigningError::new)
    }

    fn may_block(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityKey;
    use crate::state_dir::Durability;

    /// A file as the first agents wrote it, and its key's fingerprint.
    const KEPT: (&str, &str) = (
        "-----BEGIN PRIVATE KEY-----\n\
         MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwLDpY43+uy9eP2jU\n\
         UNYdn1oNoOAmv/m7SKyC/uBw67ChRANCAASQ+jkgsPaeIFnUIrl8PVYs5QDW/Zvc\n\
         /ChP4dYfP/AhHHH5fS9OHCfO8BC7kzJdYj5D/rwu4pKpRYhv5Hc4GVYT\n\
         -----END PRIVATE KEY-----\n",
        "ff7a 5666 fdc3 e122",
    );

    fn state(folder: &tempfile::TempDir) -> StateDir {
        StateDir::open(folder.path(), Durability::PageCache).unwrap()
    }

    #[tokio::test]
    async fn the_key_stays_the_same_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let first = IdentityKey::load_or_create(&FileKeyStore, &state(&folder)).unwrap();
        let again = IdentityKey::load_or_create(&FileKeyStore, &state(&folder)).unwrap();
        assert_eq!(first.public_key_hash(), again.public_key_hash());
        let signature = again.sign(b"message".to_vec()).await.unwrap();
        crate::identity::double::verify(&first, b"message", &signature);
        assert_eq!(first.fingerprint().len(), 19);
        assert_eq!(format!("{first:?}"), format!("IdentityKey({})", first.fingerprint()));
    }

    #[test]
    fn a_file_of_an_older_agent_holds_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let (file, fingerprint) = KEPT;
        state(&folder).write(FILE, file.as_bytes()).unwrap();
        let key = IdentityKey::load_or_create(&FileKeyStore, &state(&folder)).unwrap();
        assert_eq!(key.fingerprint(), fingerprint);
        assert_eq!(state(&folder).read(FILE).unwrap().unwrap(), file.as_bytes(), "and is left as it is");
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let other_kind = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        for content in [b"nonsense".as_slice(), b"\xff", other_kind.as_bytes()] {
            state(&folder).write(FILE, content).unwrap();
            let error = IdentityKey::load_or_create(&FileKeyStore, &state(&folder)).unwrap_err();
            assert!(matches!(error, IdentityError::InvalidKey { .. }) && error.to_string().contains(FILE), "{error}");
            assert_eq!(state(&folder).read(FILE).unwrap().unwrap(), content);
        }
    }

    #[test]
    fn only_who_asks_for_a_new_key_gets_one_and_a_forgotten_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = IdentityKey::load_or_create(&FileKeyStore, &state(&folder)).unwrap();
        FileKeyStore.create(&state(&folder)).unwrap();
        let second = IdentityKey::load_or_create(&FileKeyStore, &state(&folder)).unwrap();
        assert_ne!(first.public_key_hash(), second.public_key_hash());
        FileKeyStore.forget(&state(&folder)).unwrap();
        FileKeyStore.forget(&state(&folder)).unwrap();
        assert!(FileKeyStore.load(&state(&folder)).unwrap().is_none());
    }
}

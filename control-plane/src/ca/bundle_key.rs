//! The key that signs the next trust bundle, out of the database and back.

use super::{BundleKeyCommand, CaError, kept};
use crate::authority::{BUNDLE_KEY, BundleKey, Lock};
use crate::config::Config;
use kaliun_store::SystemStore;
use std::path::Path;

pub(super) async fn run(command: BundleKeyCommand, config: &Config, store: &SystemStore) -> Result<String, CaError> {
    match command {
        BundleKeyCommand::Export { to, remove, lock } => {
            export(config, store, &to, remove, &lock.lock().ok_or(CaError::NoLock)?).await
        }
        BundleKeyCommand::Import { from, lock } => {
            import(config, store, &from, &lock.lock().ok_or(CaError::NoLock)?).await
        }
    }
}

async fn export(config: &Config, store: &SystemStore, to: &Path, remove: bool, lock: &Lock) -> Result<String, CaError> {
    let (rows, keys) = kept(config, store).await?;
    let newest = rows.bundles.last().ok_or(CaError::NoAuthority)?;
    let key = BundleKey::unseal(newest, &keys)?.ok_or(CaError::NoBundleKey)?;
    store.authorities_exported("ca.bundle_key.export").await?;
    lock.write(to, BUNDLE_KEY, key.pkcs8())?;
    let mut said = format!("The key that signs trust bundle {} is in {}.", newest.version + 1, to.display());
    if remove {
        // What cannot be read back is not removed.
        BundleKey::new(&lock.read(to, BUNDLE_KEY)?)?;
        store.bundle_key_replace(rows.revision, newest.version, None, "ca.bundle_key.remove").await??;
        said.push_str(
            " It is not in the database any more, but in its backups: make sure of two copies of the file, then delete old backups. A rotation \
             waits for trust bundles that are signed with `control-plane ca sign-bundle`.",
        );
    }
    Ok(said)
}

async fn import(config: &Config, store: &SystemStore, from: &Path, lock: &Lock) -> Result<String, CaError> {
    let (rows, keys) = kept(config, store).await?;
    let newest = rows.bundles.last().ok_or(CaError::NoAuthority)?;
    let key = BundleKey::new(&lock.read(from, BUNDLE_KEY)?)?;
    if !key.signs_after(newest) {
        return Err(CaError::OtherBundleKey(from.to_owned()));
    }
    let sealed = key.seal(newest.version, &keys)?;
    store.bundle_key_replace(rows.revision, newest.version, Some(&sealed), "ca.bundle_key.import").await??;
    Ok("The key that signs the next trust bundle is in the database again.".to_owned())
}

//! The key that signs the next trust bundle, out of the database and back.

use super::{BundleKeyCommand, CaError, SignBundle, kept};
use crate::authority::{AuthorityError, BUNDLE_KEY, BundleKey, Lock, new_file};
use crate::config::Config;
use crate::digest::sha256;
use data_encoding::HEXLOWER;
use kaliun_proto::enrollment::v1::{SignedTrustBundle, TrustBundle};
use kaliun_store::SystemStore;
use prost::Message;
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

/// Largest file with a bundle, bytes: a bundle of 64 kB and its signature.
const BUNDLE_FILE_MAX_BYTES: u64 = 80 * 1024;

pub(super) fn sign(arguments: SignBundle) -> Result<String, CaError> {
    let SignBundle { bundle, key, to, new_key, lock } = arguments;
    let lock = lock.lock().ok_or(CaError::NoLock)?;
    let wrap = |source| AuthorityError::File { path: bundle.clone(), source };
    let unreadable = || CaError::NoBundle(bundle.clone());
    if std::fs::metadata(&bundle).map_err(wrap)?.len() > BUNDLE_FILE_MAX_BYTES {
        return Err(unreadable());
    }
    let content = std::fs::read(&bundle).map_err(wrap)?;
    let unsigned = SignedTrustBundle::decode(content.as_slice()).map_err(|_error| unreadable())?;
    let named = TrustBundle::decode(unsigned.bundle.as_slice()).map_err(|_error| unreadable())?;
    if named.version == 0 || named.certificate_authorities.is_empty() {
        return Err(unreadable());
    }
    let signer = BundleKey::new(&lock.read(&key, BUNDLE_KEY)?)?;
    let next = new_key.as_ref().map(|_| BundleKey::generate()).transpose()?;
    if next.is_none() && !signer.is_named_by(&named) {
        return Err(CaError::OtherBundleKey(key));
    }
    let signed = signer.sign(&named, next.as_ref())?;
    // The key first: a bundle that names a key which nobody has would end the chain.
    if let (Some(path), Some(next)) = (&new_key, &next) {
        lock.write(path, BUNDLE_KEY, next.pkcs8())?;
    }
    new_file(&to, &signed.encode_to_vec())?;
    let mut said = format!("Trust bundle {} is signed, in {}. Boxes will believe:\n", named.version, to.display());
    for certificate in &named.certificate_authorities {
        let name = x509_parser::parse_x509_certificate(certificate)
            .map_or_else(|_| "an unreadable certificate".to_owned(), |(_, parsed)| parsed.subject().to_string());
        said.push_str(&format!("  {name}, SHA-256 {}\n", HEXLOWER.encode(&sha256(certificate))));
    }
    if let Some(path) = &new_key {
        said.push_str(&format!("The next one is signed with the key in {}.\n", path.display()));
    }
    Ok(said)
}

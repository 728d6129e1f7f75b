//! The certificate authorities for devices, and the trust bundles by which boxes know this server.
//!
//! They are kept in the database, so that all replicas have the same; their keys are sealed with a key from a file that the
//! database never sees. Each replica holds what counts now as [`Credentials`] and reads it anew when it changed.

pub(crate) mod audit_key;
mod bundle;
mod bundle_key;
mod certificate;
mod credentials;
mod key_file;
mod moved;
pub(crate) mod portable;
mod request;
pub(crate) mod rotation;
mod sealed_file;
mod signer;

use crate::clock::Clock;
use audit_key::AuditKey;
pub use bundle_key::{BUNDLE_KEY, BundleKey};
pub use credentials::Credentials;
use kaliun_store::{AuthorityRow, StoreError, SystemStore, TrustBundleRow};
pub use key_file::KeyFile;
pub use request::CheckedRequest;
pub use sealed_file::{Lock, PASSPHRASE_MIN_CHARS};
use signer::{MemorySigner, Signer};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;
use thiserror::Error;
use tokio::sync::Notify;

/// Something is wrong with the authorities.
#[derive(Debug, Error)]
pub enum AuthorityError {
    /// A file could not be read or written.
    #[error("{} could not be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no key file, or what is there is none, though keys are sealed with one.
    #[error(
        "authority_key_file: {} is not there or holds no key; put the file back that was made at the first start, for without it \
         nothing can be signed",
        path.display()
    )]
    NoKeyFile {
        /// Where it should be.
        path: PathBuf,
    },
    /// The keys were sealed with another key file.
    #[error(
        "authority_key_file: {} does not open {what}; give every replica the key file that was made at the first start",
        path.display()
    )]
    OtherKeyFile {
        /// The file that was tried.
        path: PathBuf,
        /// What it should open.
        what: String,
    },
    /// There are boxes already, and no authority that they could believe.
    #[error(
        "the database has devices or join tokens and no authority; restore the tables authority, trust_bundle and rotation from a backup, or, after an older \
         program, put the folder {} back: a new authority would be a stranger to every box",
        folder.display()
    )]
    NoAuthority {
        /// Where an older program kept it.
        folder: PathBuf,
    },
    /// A folder has an authority that is not the database's.
    #[error(
        "{} holds an authority that the database does not know; if this database is the right one, move the folder away, else give the \
         right database_url",
        folder.display()
    )]
    OtherAuthority {
        /// Which.
        folder: PathBuf,
    },
    /// What is kept does not fit together.
    #[error("{what} is damaged; restore the database from a backup")]
    Damaged {
        /// What.
        what: String,
    },
    /// A file that should be sealed is something else.
    #[error("{} is no file with sealed {what}", path.display())]
    NotSealed {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: String,
    },
    /// It does not open.
    #[error(
        "{} does not open with what was given: it was sealed with another passphrase or key file, or it is damaged",
        path.display()
    )]
    OtherLock {
        /// Which.
        path: PathBuf,
    },
    /// Somebody who finds the file would guess it.
    #[error("{} holds a passphrase of fewer than {PASSPHRASE_MIN_CHARS} characters; take a longer one", path.display())]
    WeakPassphrase {
        /// Where it is.
        path: PathBuf,
    },
    /// A certificate could not be made.
    #[error("a certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    /// A key could not be made or used.
    #[error("a key could not be made or used")]
    Key,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The authorities of this fleet. Clones are the same thing.
#[derive(Clone)]
pub struct Authority {
    shared: Arc<Shared>,
}

struct Shared {
    store: SystemStore,
    keys: KeyFile,
    clock: Clock,
    current: RwLock<Arc<Credentials>>,
    changed: Notify,
}

/// What the first start makes: the first authority and the first bundle, with their keys as PKCS#8.
struct First {
    authority: (rustls::pki_types::CertificateDer<'static>, zeroize::Zeroizing<Vec<u8>>),
    bundle: (kaliun_proto::enrollment::v1::SignedTrustBundle, zeroize::Zeroizing<Vec<u8>>),
}

/// Writes a file that is readable for its owner alone, whole and on the disk, and never over another one.
pub(crate) fn new_file(path: &Path, content: &[u8]) -> Result<(), AuthorityError> {
    let wrap = |source| AuthorityError::File { path: path.to_owned(), source };
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrap)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(wrap)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(wrap)
}

/// What the key of an authority is sealed for.
pub(crate) fn authority_purpose(number: i32) -> String {
    format!("authority {number}")
}

/// What the key that signs after a bundle is sealed for.
pub(crate) fn bundle_purpose(version: i64) -> String {
    format!("bundle key {version}")
}

impl Authority {
    /// Reads the authorities, and makes the first one where there is none. An older program kept them in the folder `authority` of
    /// the state directory; they are taken from there.
    ///
    /// # Errors
    /// The database failed, the key file is missing or another one, or what is kept is damaged. Nothing that exists is ever
    /// overwritten.
    pub async fn open(
        store: SystemStore,
        state_dir: &Path,
        key_file: &Path,
        clock: Clock,
    ) -> Result<Self, AuthorityError> {
        let moved = moved::Folder::at(state_dir.join("authority"));
        if store.authorities_revision().await?.is_none() {
            let keys = KeyFile::open_or_create(key_file)?;
            let first = match moved.read()? {
                Some(first) => first,
                None if store.has_boxes_without_authority().await? => {
                    return Err(AuthorityError::NoAuthority { folder: moved.path().to_owned() });
                }
                None => make_first(clock.now())?,
            };
            begin(&store, &keys, &first).await?;
        }
        let keys = KeyFile::open(key_file)?.ok_or_else(|| AuthorityError::NoKeyFile { path: key_file.to_owned() })?;
        let credentials = read(&store, &keys).await?;
        moved.remove_if_taken(&credentials)?;
        let current = RwLock::new(Arc::new(credentials));
        let shared = Shared { store, keys, clock, current, changed: Notify::new() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The key that signs the audit's checkpoints; made when there is none yet.
    ///
    /// # Errors
    /// The database failed, or the key file is another one.
    pub(crate) async fn audit_key(&self) -> Result<AuditKey, AuthorityError> {
        AuditKey::open(&self.shared.store, &self.shared.keys).await
    }

    /// What counts now.
    #[must_use]
    pub fn current(&self) -> Arc<Credentials> {
        Arc::clone(&self.shared.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Now, by the clock that certificates and the grace of a rotation go by.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.shared.clock.now()
    }

    /// Resolves when something was changed at this replica.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    fn tell_changed(&self) {
        self.shared.changed.notify_one();
    }

    fn store(&self) -> &SystemStore {
        &self.shared.store
    }

    fn keys(&self) -> &KeyFile {
        &self.shared.keys
    }

    /// Reads what is to count from now on, if it changed. It counts once it is taken over.
    ///
    /// # Errors
    /// The database failed, or what is kept is damaged; what counted before still does.
    pub async fn newer(&self) -> Result<Option<Arc<Credentials>>, AuthorityError> {
        let known = self.current().revision();
        if self.shared.store.authorities_revision().await? == Some(known) {
            return Ok(None);
        }
        Ok(Some(Arc::new(read(&self.shared.store, &self.shared.keys).await?)))
    }

    /// From now on these count.
    pub fn take_over(&self, credentials: Arc<Credentials>) {
        *self.shared.current.write().unwrap_or_else(PoisonError::into_inner) = credentials;
    }
}

async fn read(store: &SystemStore, keys: &KeyFile) -> Result<Credentials, AuthorityError> {
    let rows = store.authorities().await?;
    let rows = rows.ok_or_else(|| AuthorityError::Damaged { what: "the list of authorities".to_owned() })?;
    Credentials::unseal(rows, keys)
}

fn make_first(now: SystemTime) -> Result<First, AuthorityError> {
    let (authority_signer, authority_key) = MemorySigner::generate()?;
    let certificate = certificate::authority(1, Arc::new(authority_signer), now)?;
    let (bundle_signer, bundle_key) = MemorySigner::generate()?;
    let signed = bundle::sign(1, std::slice::from_ref(&certificate), &bundle_signer, bundle_signer.public_key(), now)?;
    Ok(First { authority: (certificate, authority_key), bundle: (signed, bundle_key) })
}

/// Seals and keeps the first ones, unless another replica was faster.
async fn begin(store: &SystemStore, keys: &KeyFile, first: &First) -> Result<(), AuthorityError> {
    let (certificate, authority_key) = &first.authority;
    let (signed, bundle_key) = &first.bundle;
    let authority = AuthorityRow {
        number: 1,
        certificate: certificate.to_vec(),
        sealed_key: Some(keys.seal(&authority_purpose(1), authority_key)?),
        is_retired: false,
    };
    let bundle = TrustBundleRow {
        version: 1,
        bundle: signed.bundle.clone(),
        signature: signed.signature.clone(),
        sealed_key: Some(keys.seal(&bundle_purpose(1), bundle_key)?),
    };
    Ok(store.authorities_begin(&authority, &bundle).await?)
}

//! `control-plane ca`: what somebody does to the authorities' keys at the machine itself.

mod bundle_key;

use crate::authority::portable::{AUTHORITIES, Portable, check};
use crate::authority::{AuthorityError, KeyFile, Lock, audit_key};
use crate::clock;
use crate::config::Config;
use crate::reconcile::LEASE;
use crate::server::database::{Database, DatabaseError};
use clap::{Args, Subcommand};
use kaliun_domain::rotation::{Pause, Phase};
use kaliun_store::{AuthorityRows, KeysKept, StoreError, SystemStore};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum CaCommand {
    /// Writes all authorities and trust bundles with their keys into a sealed file, for a safe
    Export {
        /// File to write; it must not exist
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// What seals it
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Puts an exported file into a database that has no authority yet, sealed with the authority_key_file
    Import {
        /// File to read
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// What seals it
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Seals all keys in the database anew with another key file, while no replica runs
    Rekey {
        /// The new key file; made when it does not exist
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Looks after the key that signs the next trust bundle
    #[command(subcommand)]
    BundleKey(BundleKeyCommand),
    /// Signs a trust bundle that waits for it. Needs neither database nor configuration nor network
    SignBundle(SignBundle),
}

/// Signs a trust bundle.
#[derive(Debug, Clone, Args)]
pub struct SignBundle {
    /// File from `fleetctl ca bundle unsigned`
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// File from `control-plane ca bundle-key export`
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// File to write, for `fleetctl ca bundle submit`; it must not exist
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Make another key, which signs what comes after this bundle, and write it here, sealed like the old one; for when that may have been
    /// seen by somebody
    #[arg(long, value_name = "FILE")]
    new_key: Option<PathBuf>,
    /// What seals the key
    #[command(flatten)]
    lock: LockArguments,
}

/// What to do with the key that signs the next trust bundle.
#[derive(Debug, Clone, Subcommand)]
pub enum BundleKeyCommand {
    /// Writes it into a sealed file
    Export {
        /// File to write; it must not exist
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Remove it from the database, once it is in the file: from then on trust bundles are signed with `control-plane ca sign-bundle`
        #[arg(long)]
        remove: bool,
        /// What seals it
        #[command(flatten)]
        lock: LockArguments,
    },
    /// Puts it back into the database
    Import {
        /// File to read
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// What seals it
        #[command(flatten)]
        lock: LockArguments,
    },
}

/// What a file is sealed with.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct LockArguments {
    /// File with the passphrase that seals the file; 20 characters or more
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Key file that seals the file, made like authority_key_file
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl LockArguments {
    /// What was given; the command line takes exactly one.
    #[must_use]
    pub fn lock(self) -> Option<Lock> {
        self.passphrase_file.map(Lock::PassphraseFile).or(self.key_file.map(Lock::KeyFile))
    }
}

/// It was not done. Nothing was changed.
#[derive(Debug, Error)]
pub enum CaError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Keys or files.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// There is nothing yet.
    #[error("the database has no authority yet; start the control plane once, or import one")]
    NoAuthority,
    /// There is something already.
    #[error("the database has authorities already, and boxes that rely on them; import into an empty one")]
    NotEmpty,
    /// Replicas run.
    #[error(
        "these replicas run: {}; stop all of them first (one that was killed is forgotten after {} seconds), for they hold the old key",
        .0.join(", "), LEASE.as_secs()
    )]
    Running(Vec<String>),
    /// Somebody else changed it.
    #[error("the authorities changed meanwhile; try again")]
    Changed,
    /// The same file.
    #[error("{} is the key file in use; name another one", .0.display())]
    SameFile(PathBuf),
    /// Neither a passphrase nor a key file.
    #[error("give --passphrase-file or --key-file")]
    NoLock,
    /// The key that signs the next bundle is not in the database.
    #[error("the key that signs the next trust bundle is not in the database; it was exported with --remove")]
    NoBundleKey,
    /// A file holds no trust bundle.
    #[error("{} holds no trust bundle; fetch it with `fleetctl ca bundle unsigned`", .0.display())]
    NoBundle(PathBuf),
    /// A file holds another key.
    #[error("{} holds a key that does not sign the next trust bundle", .0.display())]
    OtherBundleKey(PathBuf),
}

impl From<KeysKept> for CaError {
    fn from(why: KeysKept) -> Self {
        match why {
            KeysKept::NotEmpty => Self::NotEmpty,
            KeysKept::Running(names) => Self::Running(names),
            KeysKept::Changed => Self::Changed,
        }
    }
}

/// Does it. Answers what to say.
///
/// # Errors
/// See [`CaError`].
pub async fn run(command: CaCommand, config: &Config) -> Result<String, CaError> {
    let database = Database::open(config).await?;
    let done = run_in(command, config, &database.store().system).await;
    database.close().await;
    done
}

async fn run_in(command: CaCommand, config: &Config, store: &SystemStore) -> Result<String, CaError> {
    match command {
        CaCommand::Export { to, lock } => export(config, store, &to, &lock.lock().ok_or(CaError::NoLock)?).await,
        CaCommand::Import { from, lock } => import(config, store, &from, &lock.lock().ok_or(CaError::NoLock)?).await,
        CaCommand::Rekey { to } => rekey(config, store, &to).await,
        CaCommand::BundleKey(command) => bundle_key::run(command, config, store).await,
        CaCommand::SignBundle(arguments) => sign_bundle(arguments),
    }
}

/// Signs a trust bundle. Answers what to say.
///
/// # Errors
/// See [`CaError`].
pub fn sign_bundle(arguments: SignBundle) -> Result<String, CaError> {
    bundle_key::sign(arguments)
}

/// What the database has, and what opens it.
async fn kept(config: &Config, store: &SystemStore) -> Result<(AuthorityRows, KeyFile), CaError> {
    let rows = store.authorities().await?.ok_or(CaError::NoAuthority)?;
    let path = &config.authority_key_file;
    let keys = KeyFile::open(path)?.ok_or_else(|| AuthorityError::NoKeyFile { path: path.clone() })?;
    Ok((rows, keys))
}

async fn export(config: &Config, store: &SystemStore, to: &Path, lock: &Lock) -> Result<String, CaError> {
    let (rows, keys) = kept(config, store).await?;
    let portable = Portable::unseal(&rows, &keys)?;
    // Noted first: what cannot be noted is not taken out.
    store.authorities_exported("ca.export").await?;
    lock.write(to, AUTHORITIES, &portable.encode())?;
    Ok(format!(
        "{} authorities and {} trust bundles are in {}. Keep it where the database's backups are not, with what opens it somewhere else \
         again: whoever has both is the authority.",
        rows.authorities.len(),
        rows.bundles.len(),
        to.display()
    ))
}

async fn import(config: &Config, store: &SystemStore, from: &Path, lock: &Lock) -> Result<String, CaError> {
    if store.authorities_revision().await?.is_some() {
        return Err(CaError::NotEmpty);
    }
    let portable = Portable::decode(&lock.read(from, AUTHORITIES)?)?;
    let keys = KeyFile::open_or_create(&config.authority_key_file)?;
    let mut rows = portable.seal(&keys, 0, clock::now())?;
    check(&rows, &keys)?;
    let is_rotating = rows.rotation.phase() != Phase::Steady;
    if is_rotating {
        // This database knows no device yet, so none would hold the rotation up, and those that come would find their authority gone.
        let (by, reason) = ("control-plane ca import".to_owned(), "imported in the middle of a rotation".to_owned());
        rows.steering.pause = Some(Pause { since: rows.steering.phase_since, by, reason });
    }
    store.authorities_import(&rows).await??;
    let rotation = if is_rotating {
        " They were exported in the middle of a rotation, which stands still: when this database knows the devices again, go on with \
         `fleetctl ca rotate resume`."
    } else {
        ""
    };
    Ok(format!(
        "{} authorities and {} trust bundles are in the database, sealed with {}.{rotation}",
        rows.authorities.len(),
        rows.bundles.len(),
        config.authority_key_file.display()
    ))
}

async fn rekey(config: &Config, store: &SystemStore, to: &Path) -> Result<String, CaError> {
    let (rows, keys) = kept(config, store).await?;
    let is_same = |path: &Path| std::fs::canonicalize(path).ok();
    if is_same(to).is_some_and(|path| Some(path) == is_same(&config.authority_key_file)) {
        return Err(CaError::SameFile(to.to_owned()));
    }
    let portable = Portable::unseal(&rows, &keys)?;
    // On the disk before anything is sealed with it.
    let new_keys = KeyFile::open_or_create(to)?;
    let resealed = portable.seal(&new_keys, rows.revision, clock::now())?;
    check(&resealed, &new_keys)?;
    let audit_keys = audit_key::reseal(&store.audit_key_list().await?, &keys, &new_keys)?;
    store.authorities_reseal(&resealed, &audit_keys, LEASE).await??;
    Ok(format!(
        "All keys are sealed with {} now. Give it to every replica as authority_key_file before it starts, and destroy {} and its copies: \
         with it, whoever has an old backup of the database has the keys.",
        to.display(),
        config.authority_key_file.display()
    ))
}

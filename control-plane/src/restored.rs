//! `control-plane restored`: says that the database came back from a backup.

use crate::config::Config;
use crate::ended_devices::{self, JournalError};
use crate::server::{Database, DatabaseError};
use kaliun_store::{DatabaseRestored, EndedDevice, StoreError};
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A control plane that was heard so lately may be at work.
const ALIVE_WITHIN: Duration = Duration::from_secs(20);

/// It could not be said.
#[derive(Debug, Error)]
pub enum RestoredError {
    /// A control plane is at work.
    #[error(
        "a control plane uses this database, or did within the last 20 seconds; stop all of them, wait, and say it again"
    )]
    Running,
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was done, and by which journals.
#[derive(Debug)]
pub struct Restored {
    /// What was done.
    pub done: DatabaseRestored,
    /// Devices in all journals.
    pub journalled: usize,
}

/// Raises the incarnation and tells the database of every device that had ended since, by the journals in the state folder and others.
///
/// # Errors
/// See [`RestoredError`]; then nothing was changed.
pub async fn restored(config: &Config, journals: &[PathBuf]) -> Result<Restored, RestoredError> {
    let own = config.state_dir.join(ended_devices::FILE);
    let mut ended = Vec::new();
    for path in std::iter::once(&own).chain(journals) {
        ended.extend(ended_devices::read(path)?);
    }
    let database = Database::open(config).await?;
    let told = tell(&database, &ended).await;
    database.close().await;
    told
}

async fn tell(database: &Database, ended: &[EndedDevice]) -> Result<Restored, RestoredError> {
    let store = &database.store().system;
    if store.replica_is_alive(ALIVE_WITHIN).await? {
        return Err(RestoredError::Running);
    }
    Ok(Restored { done: store.database_restored(ended).await?, journalled: ended.len() })
}
